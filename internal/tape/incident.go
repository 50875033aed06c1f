package tape

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/nodewatch/nodewatch/internal/node"
)

// An Incident is one text file (txtar): the story on top, a script of what the
// node went through in the file "tape", and what nodewatch must say of it in the
// file "want". Other files hold captures that the script plays.
type Incident struct {
	Story string
	Want  string
	steps []step
	files map[string]string
	start time.Time
	node  string
}

// A step is one line of the script.
type step struct {
	line int
	at   time.Duration // since the start
	verb string
	rest string // what follows the verb
}

// incidentStart is when an incident begins, unless its script says so.
var incidentStart = time.Date(2026, time.March, 1, 2, 0, 0, 0, time.UTC)

// ParseIncident reads an incident file. Errors name the script's line.
func ParseIncident(data []byte) (*Incident, error) {
	archive := txtar.Parse(data)
	in := &Incident{Story: string(archive.Comment), files: map[string]string{}, start: incidentStart, node: "node2"}
	for _, f := range archive.Files {
		in.files[f.Name] = string(f.Data)
	}
	in.Want = in.files["want"]
	script, found := in.files["tape"]
	if !found {
		return nil, fmt.Errorf("incident: no file \"tape\" in it")
	}
	var last time.Duration
	for i, text := range strings.Split(script, "\n") {
		if j := strings.Index(text, " #"); j >= 0 {
			text = text[:j]
		}
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		s, err := parseStep(text, last)
		if err != nil {
			return nil, fmt.Errorf("incident: tape: line %d: %w", i+1, err)
		}
		s.line, last = i+1, s.at
		in.steps = append(in.steps, s)
	}
	if n := len(in.steps); n == 0 || in.steps[n-1].verb != "end" {
		return nil, fmt.Errorf("incident: tape: the last line must be \"TIME end\"")
	}
	_, err := in.play(func(node.Entry) bool { return true }, true)
	return in, err
}

// parseStep reads "TIME VERB REST"; TIME is a duration since the start, or with
// a plus sign since the line before.
func parseStep(text string, last time.Duration) (step, error) {
	when, rest, _ := strings.Cut(text, " ")
	at, err := time.ParseDuration(strings.TrimPrefix(when, "+"))
	if err != nil {
		return step{}, fmt.Errorf("%q is not a time such as 90s, 1h5m or +3s", when)
	}
	if when[0] == '+' {
		at += last
	}
	if at < last || at > 48*time.Hour {
		return step{}, fmt.Errorf("%s is before the line above it, or more than two days on", when)
	}
	verb, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return step{at: at, verb: verb, rest: strings.TrimSpace(rest)}, nil
}

// Entries plays the incident: the entries a node's daemon would have recorded,
// one reading of every source each time it is due, and a tick each second.
func (in *Incident) Entries() iter.Seq[node.Entry] {
	return func(yield func(node.Entry) bool) { _, _ = in.play(yield, false) }
}

// Start is when the incident begins.
func (in *Incident) Start() time.Time { return in.start }

// play runs the script through a simulated node. With dry it only tries the
// script's lines.
func (in *Incident) play(yield func(node.Entry) bool, dry bool) (ended bool, err error) {
	n := newStage(in)
	next := 0
	for second := time.Duration(0); next < len(in.steps); second += time.Second {
		for next < len(in.steps) && in.steps[next].at < second+time.Second {
			s := in.steps[next]
			if err := n.do(s); err != nil {
				return false, fmt.Errorf("incident: tape: line %d: %s: %w", s.line, s.verb, err)
			}
			next++
		}
		if dry {
			if next < len(in.steps) {
				second = in.steps[next].at.Truncate(time.Second) - time.Second
			}
			continue
		}
		if !n.second(in.start.Add(second), yield) {
			return true, nil
		}
	}
	return true, nil
}
