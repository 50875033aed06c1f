// Package expect implements expectations: the part "expect" of an incident file lists
// what must be reported about an incident, and what must not. The package checks
// reports against them. docs/incidents.md describes the language.
package expect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A List is the expectations of one incident. It receives the reports of one replay,
// and must not be reused.
type List struct {
	Kind         string // the heading under which the incident is counted
	Expectations []*Expectation
}

// A Mistake is the reason why a line cannot be parsed.
type Mistake struct {
	Line int
	Err  error
}

// Error implements error.
func (m *Mistake) Error() string { return fmt.Sprintf("line %d: %v", m.Line, m.Err) }

// Unwrap returns the reason.
func (m *Mistake) Unwrap() error { return m.Err }

// Parse parses expectations. line is the number of their first line in the file. The
// error is a *Mistake.
func Parse(text string, line int) (*List, error) {
	l := &List{}
	for raw := range strings.SplitSeq(text, "\n") {
		if err := l.add(strings.TrimSpace(raw), line); err != nil {
			return nil, &Mistake{line, err}
		}
		line++
	}
	if len(l.Expectations) == 0 {
		return nil, &Mistake{line - 1, errors.New("no expectation; at least one is required")}
	}
	return l, nil
}

func (l *List) add(text string, line int) error {
	if kind, is := strings.CutPrefix(text, "kind:"); is {
		if l.Kind = strings.TrimSpace(kind); l.Kind == "" {
			return errors.New(`"kind:" names no kind`)
		}
		return nil
	}
	if text == "" || text[0] == '#' {
		return nil
	}
	e, err := parseExpectation(text)
	if err != nil {
		return err
	}
	e.Text, e.Line = text, line
	l.Expectations = append(l.Expectations, e)
	return nil
}

// A mode determines in which of the reports of its period an expectation must hold.
type mode int

const (
	always  mode = iota // at, from … to: in every one
	someday             // by: in at least one
	never               // in none of them
	changes             // a finding is raised at most this often
)

// forms lists the valid forms of a line, for error messages.
const forms = `"at TIME WHAT", "from TIME to TIME WHAT", "by TIME WHAT", "never WHAT" or "[from TIME to TIME] changes <= N finding MATCH"`

// parseExpectation parses one line.
func parseExpectation(text string) (*Expectation, error) {
	e := &Expectation{end: unbounded}
	first, rest := cut(text)
	var err error
	switch first {
	case "at":
		e.begin, rest, err = cutTime(rest)
		e.end = e.begin
	case "by":
		e.mode = someday
		e.end, rest, err = cutTime(rest)
	case "never":
		e.mode = never
	case "changes":
		rest = text
	case "from":
		if e.begin, rest, err = cutTime(rest); err != nil {
			return nil, err
		}
		to, after := cut(rest)
		if to != "to" {
			return nil, fmt.Errorf(`%q where "to" must follow "from TIME"`, to)
		}
		if e.end, rest, err = cutTime(after); err == nil && e.end < e.begin {
			err = errors.New("the span ends before it begins")
		}
	default:
		return nil, fmt.Errorf("%q is not an expectation; valid are %s", first, forms)
	}
	if err != nil {
		return nil, err
	}
	if word, limit := cut(rest); word == "changes" {
		if e.mode != always || first == "at" {
			return nil, fmt.Errorf(`"changes" after %q; it must be alone or after "from TIME to TIME"`, first)
		}
		e.mode = changes
		e.what, err = parseCount(limit)
		return e, err
	}
	e.what, err = parseWhat(rest)
	if err == nil && e.mode == never && e.what.most >= 0 {
		err = errors.New(`"never no" and "never count" say the opposite of what they seem to; use "from start to end"`)
	}
	return e, err
}

// cut cuts off the first word.
func cut(text string) (word, rest string) {
	word, rest, _ = strings.Cut(text, " ")
	return word, strings.TrimSpace(rest)
}

// unbounded represents the time "end".
const unbounded = time.Duration(1<<63 - 1)

// timeForm describes a time: 90s, 4m, 2m10s, 1h5m or 1.5s.
var timeForm = regexp.MustCompile(`^(\d+h)?(\d+m)?(\d+(\.\d+)?s)?$`)

// cutTime cuts off a leading TIME.
func cutTime(text string) (time.Duration, string, error) {
	word, rest := cut(text)
	switch word {
	case "start":
		return 0, rest, nil
	case "end":
		return unbounded, rest, nil
	}
	d, err := time.ParseDuration(word)
	if err != nil || !timeForm.MatchString(word) {
		return 0, "", fmt.Errorf("%q is not a time such as 90s, 2m10s, 1h5m, start or end", word)
	}
	return d, rest, nil
}

// A what is a condition on one report, the WHAT of the language.
type what struct {
	components []string // nil: the condition is about findings
	op         string   // operator for the components' status
	status     report.Impact
	most       int // maximum number of matching findings; -1: at least one must match
	match      match
}

// Components are the names that an expectation may use for a component, in addition
// to "node" and "any".
func Components() []string {
	var names []string
	for _, c := range report.ComponentNames() {
		names = append(names, string(c))
	}
	return names
}

// parseWhat parses WHAT.
func parseWhat(text string) (what, error) {
	w := what{most: -1}
	var err error
	switch word, rest := cut(text); word {
	case "component":
		return parseComponent(rest)
	case "finding":
		w.match, err = parseMatch(rest)
		return w, err
	case "no":
		if after, matches := cut(rest); after == "finding" {
			w.most = 0
			w.match, err = parseMatch(matches)
			return w, err
		}
	case "count":
		return parseCount(rest)
	}
	return w, fmt.Errorf(`%q is no condition; one is "component NAME STATUS", "finding MATCH", "no finding MATCH" or "count <= N finding MATCH"`, text)
}

// countForm describes the text after "count" and "changes".
var countForm = regexp.MustCompile(`^<= ?(\d{1,6}) finding\b ?(.*)$`)

func parseCount(text string) (what, error) {
	m := countForm.FindStringSubmatch(text)
	if m == nil {
		return what{}, fmt.Errorf(`%q where "<= N finding MATCH" must follow`, text)
	}
	most, err := strconv.Atoi(m[1])
	if err != nil {
		return what{}, err
	}
	w := what{most: most}
	w.match, err = parseMatch(m[2])
	return w, err
}

// parseComponent parses "NAME|NAME STATUS" with an optional operator before STATUS.
func parseComponent(text string) (what, error) {
	w := what{most: -1, op: "="}
	names, rest := cut(text)
	w.components = strings.Split(names, "|")
	for _, n := range w.components {
		if known := append(Components(), "node", "any"); !slices.Contains(known, n) {
			return w, fmt.Errorf("%q is not a component; known are %s", n, strings.Join(known, ", "))
		}
	}
	for _, op := range []string{">=", "<=", "!=", "="} {
		if after, is := strings.CutPrefix(rest, op); is {
			w.op, rest = op, after
			break
		}
	}
	w.status = report.Impact(rest)
	return w, checkRanked(impacts(), w.op, rest)
}

// impacts are the statuses, least severe first.
func impacts() []string {
	var list []string
	for _, i := range report.Impacts() {
		list = append(list, string(i))
	}
	return list
}

// severities are the severities, lowest first.
func severities() []string {
	return []string{string(report.Info), string(report.Warning), string(report.Critical)}
}

// checkRanked returns an error if want does not consist of words from the order that
// op can compare with: one word, or for = and != several separated by |.
func checkRanked(order []string, op, want string) error {
	words := strings.Split(want, "|")
	if len(words) > 1 && op != "=" && op != "!=" {
		return fmt.Errorf("%q: %s compares with a single value", want, op)
	}
	for _, word := range words {
		if !slices.Contains(order, word) {
			return fmt.Errorf("%q is not one of %s", word, strings.Join(order, ", "))
		}
	}
	return nil
}

// A match is a list of tests that a finding must all pass.
type match []test

// A test compares one property of a finding.
type test struct {
	text string
	key  string
	op   string
	want string
	re   *regexp.Regexp // for ~ and !~
}

// testForm returns the form of the next test of a match.
var testForm = regexp.MustCompile(`^\s*(\w+)(>=|<=|!=|!~|=|~)(/(?:[^/\\]|\\.)*/|\S+)`)

// keys are the properties of a finding that a test may compare.
func keys() []string {
	return []string{"rule", "subject", "component", "severity", "impact", "state", "flapping", "accepted",
		"text", "evidence", "against", "advice", "advice1", "any"}
}

func parseMatch(text string) (match, error) {
	var m match
	for strings.TrimSpace(text) != "" {
		found := testForm.FindStringSubmatch(text)
		if found == nil {
			return nil, fmt.Errorf("%q is not a match; valid are KEY=a|b, KEY!=a|b, KEY~/regex/, KEY!~/regex/, or with severity and impact KEY>=a, KEY<=a", strings.TrimSpace(text))
		}
		t := test{text: strings.TrimSpace(found[0]), key: found[1], op: found[2], want: found[3]}
		if err := t.check(); err != nil {
			return nil, err
		}
		m = append(m, t)
		text = text[len(found[0]):]
	}
	return m, nil
}

// check completes the test, and returns an error if it can never be passed.
func (t *test) check() error {
	if !slices.Contains(keys(), t.key) {
		return fmt.Errorf("%q is not one of %s", t.key, strings.Join(keys(), ", "))
	}
	if t.op == "~" || t.op == "!~" {
		source := t.want
		if len(source) > 1 && source[0] == '/' {
			source = source[1 : len(source)-1]
		}
		re, err := regexp.Compile("(?is)" + strings.ReplaceAll(source, `\/`, "/"))
		t.re = re
		return err
	}
	switch t.key {
	case "severity":
		return checkRanked(severities(), t.op, t.want)
	case "impact":
		return checkRanked(impacts(), t.op, t.want)
	}
	if t.op == ">=" || t.op == "<=" {
		return fmt.Errorf("%q: only severity and impact have an order", t.text)
	}
	allowed := map[string][]string{
		"state": {string(report.Seen), string(report.Blind)}, "flapping": {"true", "false"}, "accepted": {"true", "false"},
		"component": Components(),
	}[t.key]
	for _, word := range strings.Split(t.want, "|") {
		if allowed != nil && !slices.Contains(allowed, word) {
			return fmt.Errorf("%q: %q is not one of %s", t.text, word, strings.Join(allowed, ", "))
		}
	}
	return nil
}
