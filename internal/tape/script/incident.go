// Package script reads incident files, which consist of a story, a script of events
// on a node, and the expected reports. It plays the script on a simulated node whose
// sources are read at their usual intervals.
package script

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/nodewatch/nodewatch/internal/node"
)

// An Incident is one text file (txtar): the story at the top, a script of the events
// on the node in the part "tape", the expected reports in the part "expect" and, if
// the exact text matters, the output in the part "want". Other parts contain captures
// that the script plays.
type Incident struct {
	Story string
	Want  string
	// Expect is the text of the part "expect", and ExpectLine the number of its
	// first line in the file; 0: there is no such part.
	Expect     string
	ExpectLine int
	steps      []step
	parts      map[string]string
	start      time.Time
	node       string
}

// A step is one line of the script.
type step struct {
	line int           // line number in the file
	at   time.Duration // time since the start
	verb string
	rest string // the text after the verb
}

// defaultStart is the start of an incident unless its script sets another.
var defaultStart = time.Date(2026, time.March, 1, 2, 0, 0, 0, time.UTC)

// maxLength is the maximum duration of an incident, which is limited because a tick
// is played for each second.
const maxLength = 48 * time.Hour

// A Mistake is the reason why a line of an incident file cannot be parsed.
type Mistake struct {
	Line int // line number in the file; 0: the file as a whole
	Err  error
}

// Error implements error.
func (m *Mistake) Error() string {
	if m.Line == 0 {
		return m.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", m.Line, m.Err)
}

// Unwrap returns the reason.
func (m *Mistake) Unwrap() error { return m.Err }

// Parse parses an incident file and checks each line of its script. Its error is a
// *Mistake.
func Parse(data []byte) (*Incident, error) {
	archive := txtar.Parse(data)
	in := &Incident{Story: string(archive.Comment), parts: map[string]string{}, start: defaultStart, node: "node2"}
	line := bytes.Count(archive.Comment, []byte("\n")) + 2 // the number of the line after the first marker
	first := map[string]int{}
	for _, f := range archive.Files {
		if first[f.Name] > 0 {
			return nil, &Mistake{line - 1, fmt.Errorf("duplicate part %q; the first begins at line %d", f.Name, first[f.Name])}
		}
		in.parts[f.Name], first[f.Name] = string(f.Data), line
		line += bytes.Count(f.Data, []byte("\n")) + 1
	}
	in.Want, in.Expect, in.ExpectLine = in.parts["want"], in.parts["expect"], first["expect"]
	if first["tape"] == 0 {
		return nil, &Mistake{0, errors.New(`no part "-- tape --" with a script`)}
	}
	if err := in.parseScript(in.parts["tape"], first["tape"]); err != nil {
		return nil, err
	}
	_, err := in.play(func(node.Entry) bool { return true }, true)
	return in, err
}

// parseScript parses the script, whose first line has the given number in the file.
func (in *Incident) parseScript(script string, first int) error {
	var last time.Duration
	line := first
	for text := range strings.SplitSeq(script, "\n") {
		if text = strings.TrimSpace(text); text != "" && text[0] != '#' {
			if n := len(in.steps); n > 0 && in.steps[n-1].verb == "end" {
				return &Mistake{line, fmt.Errorf("%q follows the end; \"TIME end\" must be the last line of the script", text)}
			}
			s, err := parseStep(text, last)
			if err != nil {
				return &Mistake{line, err}
			}
			s.line, last = line, s.at
			in.steps = append(in.steps, s)
		}
		line++
	}
	if n := len(in.steps); n == 0 || in.steps[n-1].verb != "end" {
		if n > 0 {
			first = in.steps[n-1].line
		}
		return &Mistake{first, errors.New("the last line of the script must be \"TIME end\"")}
	}
	return nil
}

// parseStep parses "TIME VERB REST"; TIME is a duration since the start or, with a
// plus sign, since the previous line.
func parseStep(text string, last time.Duration) (step, error) {
	when, rest, _ := strings.Cut(text, " ")
	at, err := time.ParseDuration(strings.TrimPrefix(when, "+"))
	if err != nil || at < 0 {
		return step{}, fmt.Errorf("%q is not a time; a line begins with one such as 90s, 1h5m or +3s", when)
	}
	if when[0] == '+' {
		at += last
	}
	switch {
	case at < last:
		return step{}, fmt.Errorf("%q is before the line above it, which is at %v; times never decrease", when, last)
	case at > maxLength:
		return step{}, fmt.Errorf("%q is too late; an incident lasts %v at most", when, maxLength)
	}
	verb, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return step{at: at, verb: verb, rest: strings.TrimSpace(rest)}, nil
}

// part returns the text of the named part, for a verb that plays it.
func (in *Incident) part(name string) (string, error) {
	text, found := in.parts[name]
	if !found {
		return "", fmt.Errorf("no part %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(in.parts)), ", "))
	}
	return text, nil
}

// Entries plays the incident and yields the entries that a node's daemon would have
// recorded: one reading of every source each time it is due, and a tick each second.
func (in *Incident) Entries() iter.Seq[node.Entry] {
	return func(yield func(node.Entry) bool) { _, _ = in.play(yield, false) }
}

// play runs the script on a simulated node. With dry it only checks the script's
// lines.
func (in *Incident) play(yield func(node.Entry) bool, dry bool) (ended bool, err error) {
	n := newSimulator(in)
	next := 0
	for second := time.Duration(0); next < len(in.steps); second += time.Second {
		for next < len(in.steps) && in.steps[next].at < second+time.Second {
			s := in.steps[next]
			if err := n.do(s); err != nil {
				return false, &Mistake{s.line, err}
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
