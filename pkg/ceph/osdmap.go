package ceph

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// dump is the part of "osd dump" that is parsed (OSDMap::dump, src/osd/OSDMap.cc).
type dump struct {
	Epoch int    `json:"epoch"`
	Flags string `json:"flags"`
	OSDs  []struct {
		OSD    int `json:"osd"`
		Up     int `json:"up"`
		In     int `json:"in"`
		Public struct {
			Vector []struct {
				Addr string `json:"addr"`
			} `json:"addrvec"`
		} `json:"public_addrs"`
		Legacy string `json:"public_addr"` // the only address before Nautilus
	} `json:"osds"`
	Blocklist map[string]string `json:"blocklist"`       // since Pacific
	Blacklist map[string]string `json:"blacklist"`       // its name in earlier releases
	Networks  map[string]string `json:"range_blocklist"` // cidr:IP:0/BITS
}

// ParseOSDMap parses the JSON reply to the monitor command "osd dump": the map, and
// its whole blocklist, sorted by address.
func ParseOSDMap(b []byte) (OSDMap, []Entry, error) {
	var d dump
	if err := answer.unmarshal(b, &d); err != nil {
		return OSDMap{}, nil, fmt.Errorf("ceph: osd dump: %w", err)
	}
	if d.Epoch <= 0 {
		return OSDMap{}, nil, errors.New("ceph: osd dump: no epoch")
	}
	m := OSDMap{Epoch: d.Epoch, Flags: d.Flags, OSDs: []OSD{}}
	for _, o := range d.OSDs {
		osd := OSD{ID: o.OSD, Up: o.Up != 0, In: o.In != 0}
		for _, a := range o.Public.Vector {
			osd.Addrs = append(osd.Addrs, a.Addr)
		}
		if len(osd.Addrs) == 0 {
			addr, _, _ := strings.Cut(o.Legacy, "/")
			osd.Addrs = append(osd.Addrs, addr)
		}
		m.OSDs = append(m.OSDs, osd)
	}
	m.sanitize()
	return m, d.entries(), nil
}

func (d *dump) entries() []Entry {
	entries := []Entry{}
	for _, list := range []map[string]string{d.Blocklist, d.Blacklist, d.Networks} {
		for addr, until := range list {
			e := Entry{Addr: addr, Until: parseTime(until)}
			e.sanitize()
			entries = append(entries, e)
		}
	}
	sortEntries(entries)
	return entries
}

// parseTime parses 2026-11-22T18:39:45.748576+0000. Before Octopus the text was the
// monitor's local time without its zone, which cannot be converted: the result is
// then zero.
func parseTime(s string) time.Time {
	t, err := time.Parse("2006-01-02T15:04:05.999999999-0700", s)
	if err != nil {
		return time.Time{}
	}
	return carried(t)
}

// sanitize sorts the OSDs, and drops invalid addresses: an OSD that was never started
// has "(unrecognized address family 0)".
func (m *OSDMap) sanitize() {
	m.Epoch = max(m.Epoch, 0)
	m.Flags = text(m.Flags)
	for i := range m.OSDs {
		o := &m.OSDs[i]
		o.Addrs = slices.DeleteFunc(o.Addrs, func(addr string) bool {
			a, err := netip.ParseAddrPort(addr)
			return err != nil || a.Addr().IsUnspecified() || a.Addr().Zone() != ""
		})
		if len(o.Addrs) == 0 {
			o.Addrs = nil
		}
	}
	slices.SortStableFunc(m.OSDs, func(a, b OSD) int { return cmp.Compare(a.ID, b.ID) })
}
