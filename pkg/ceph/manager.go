package ceph

import (
	"errors"
	"fmt"
	"strings"
)

// ParseScrubs parses the JSON reply to the manager command "pg stat". It counts
// placement groups by state (print_oneline_summary, src/mon/PGMap.cc) and, unlike "pg
// ls" and "pg dump", does not grow with the cluster. A state is a list of words like
// active+clean+scrubbing+deep.
func ParseScrubs(b []byte) (Scrubs, error) {
	var said struct {
		Summary struct {
			States []struct {
				Name string `json:"name"`
				Num  int    `json:"num"`
			} `json:"num_pg_by_state"`
		} `json:"pg_summary"`
		Ready *bool `json:"pg_ready"`
	}
	if err := answer.unmarshal(b, &said); err != nil {
		return Scrubs{}, fmt.Errorf("ceph: pg stat: %w", err)
	}
	if said.Ready == nil || !*said.Ready {
		return Scrubs{}, errors.New("ceph: pg stat: the manager does not have all placement groups yet")
	}
	var s Scrubs
	for _, state := range said.Summary.States {
		words := "+" + state.Name + "+"
		if state.Num <= 0 || state.Num > maxPGs || !strings.Contains(words, "+scrubbing+") {
			continue
		}
		s.Scrubbing += state.Num
		if strings.Contains(words, "+deep+") {
			s.Deep += state.Num
		}
	}
	return s, nil
}

// maxPGs is more placement groups than a cluster can have in one state.
const maxPGs = 1 << 30

// ParseManager parses the JSON reply to the monitor command "mgr stat": whether the
// monitors have an available manager. They notice the loss of one after 30 s.
func ParseManager(b []byte) (available bool, err error) {
	var said struct {
		Available *bool `json:"available"`
	}
	if err := answer.unmarshal(b, &said); err != nil {
		return false, fmt.Errorf("ceph: mgr stat: %w", err)
	}
	if said.Available == nil {
		return false, errors.New("ceph: mgr stat: the field available is missing")
	}
	return *said.Available, nil
}
