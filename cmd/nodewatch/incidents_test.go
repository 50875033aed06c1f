package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/internal/tape/expect"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const incidents = "../../testdata/incidents"

// replayed replays a file as `nodewatch replay --brief` does.
func replayed(t *testing.T, file string, more ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := Main(t.Context(), append([]string{"replay", "--brief", file}, more...), nil, &out, &errs); code != exitOK {
		t.Fatalf("%s: exit %d: %s", file, code, &errs)
	}
	return out.String()
}

// goldenMark begins the part of an incident that contains the exact output.
const goldenMark = "-- want --\n"

// Every incident and every tape meets its expectations; those with a part "want" also
// print exactly that, and those in oneHeadline have one headline. Each is replayed once.
func TestIncidents(t *testing.T) {
	stories, err := filepath.Glob(filepath.Join(incidents, "*.txtar"))
	if err != nil || len(stories) < 18 {
		t.Fatalf("only %d incidents found: %v", len(stories), err)
	}
	tapes, err := filepath.Glob(filepath.Join(incidents, "*.jsonl.zst"))
	if err != nil {
		t.Fatal(err)
	}
	files, seen := append(stories, tapes...), &ruleCoverage{raised: map[string]bool{}, quiet: map[string]bool{}}
	t.Cleanup(func() { seen.check(t, len(files)) }) // after the last one
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".txtar"), ".jsonl.zst"), func(t *testing.T) {
			t.Parallel()
			testIncident(t, file, seen)
		})
	}
}

func testIncident(t *testing.T, file string, seen *ruleCoverage) {
	in, err := play(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	l := expectations(t, file, in)
	var out bytes.Buffer
	r := &replayer{program: program{out: &output{to: io.Discard}}, file: &file, speed: new(float64), until: new(time.Duration)}
	p := &expectPrinter{list: l, text: changePrinter{out: &out, brief: true}, raised: map[string]bool{}, long: map[string]string{}}
	h := &headlinePrinter{expectPrinter: p}
	var printer replayPrinter = p
	one, found := oneHeadline[strings.TrimSuffix(filepath.Base(file), ".txtar")]
	if found {
		h.names, printer = one.names, h
	}
	if err := r.plays(t.Context(), in, &viewHolder{}, nil, printer); err != nil {
		t.Fatal(err)
	}
	if h.wrong != "" || h.verdicts < one.least {
		t.Errorf("%s: of %d verdicts (want %d or more): %s", file, h.verdicts, one.least, h.wrong)
	}
	seen.add(p, found)
	for id, summary := range p.long {
		t.Errorf("%s has a summary of more than %d characters, %s", id, rule.MaxSummary, summary)
	}
	for _, e := range l.Expectations {
		if wrong := e.Wrong(); wrong != "" {
			t.Errorf("%s:%d: %s: %s", file, e.Line, e.Text, wrong)
		}
	}
	if in.incident == nil || in.incident.Want == "" || in.incident.Want == out.String() {
		return
	}
	if !*update {
		t.Errorf("%s: the output is another; make golden rewrites it (-want +got)\n%s", file, cmp.Diff(in.incident.Want, out.String()))
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(raw), goldenMark)
	if err := os.WriteFile(file, []byte(head+goldenMark+out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A ruleCoverage records which rules the incidents exercise.
type ruleCoverage struct {
	mu     sync.Mutex
	played int
	one    int             // how many of those in oneHeadline
	raised map[string]bool // rules raised in at least one incident
	quiet  map[string]bool // rules not raised in at least one incident, although all its sources were available at the end
}

func (c *ruleCoverage) add(p *expectPrinter, one bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.played++
	if one {
		c.one++
	}
	for _, r := range all.Rules() {
		blind := slices.ContainsFunc(r.Needs, func(source string) bool { return p.view.Blind(source) != nil })
		c.raised[r.ID] = c.raised[r.ID] || p.raised[r.ID]
		c.quiet[r.ID] = c.quiet[r.ID] || !p.raised[r.ID] && !blind
	}
}

// check fails for a rule that no incident raises, for one that every incident raises, and
// if oneHeadline names an incident that does not exist. It runs only if all incidents have
// been replayed.
func (c *ruleCoverage) check(t *testing.T, files int) {
	if c.played < files {
		t.Logf("%d of %d incidents were played to the end: not looked which rules they try", c.played, files)
		return
	}
	if c.one != len(oneHeadline) {
		t.Errorf("oneHeadline names %d incidents, of which only %d exist", len(oneHeadline), c.one)
	}
	for _, r := range all.Rules() {
		if !c.raised[r.ID] || !c.quiet[r.ID] {
			t.Errorf("%s: an incident raises it: %v; in one it is not raised though its sources see: %v", r.ID, c.raised[r.ID],
				c.quiet[r.ID])
		}
	}
}

// expectations returns the expectations of an incident, which are in its part
// "expect", or of a tape, which are in the file beside it.
func expectations(t *testing.T, file string, in *played) *expect.List {
	t.Helper()
	var text string
	line := 1
	if in.incident != nil {
		text, line = in.incident.Expect, max(1, in.incident.ExpectLine)
	} else {
		file = strings.TrimSuffix(file, ".jsonl.zst") + ".expect"
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	l, err := expect.Parse(text, line)
	var m *expect.Mistake
	if errors.As(err, &m) {
		t.Fatalf("%s:%d: %v", file, m.Line, m.Err)
	}
	if l.Kind == "" {
		t.Errorf("%s: no \"kind:\" in the expectations", file)
	}
	for _, id := range l.Rules() {
		if _, known := all.Default().Rule(id); !known {
			t.Errorf("%s: an expectation names the rule %q, which does not exist", file, id)
		}
	}
	return l
}

// An expectPrinter checks what `replay --output json` would print.
type expectPrinter struct {
	list    *expect.List
	text    changePrinter
	printed string // fingerprint of the last checked report
	last    report.Report
	offset  time.Duration     // of last
	view    judge.View        // the View of that report
	raised  map[string]bool   // rules that had a finding
	long    map[string]string // summaries too long for a phone, by rule or component
}

func (p *expectPrinter) print(v judge.View, offset time.Duration) error {
	if now := fingerprint(v.Report); now != p.printed {
		p.printed = now
		p.list.Check(offset, v.Report)
		for _, f := range v.Report.Findings {
			p.raised[f.Rule] = true
			// The standing risk is reported in full before any incident.
			risk := f.Rule == "layer2-bond-krbd" && f.Severity == report.Warning
			if n := utf8.RuneCountInString(f.Summary); n > rule.MaxSummary && !risk {
				p.long[f.Rule] = fmt.Sprintf("%d characters: %s", n, f.Summary)
			}
		}
		for _, c := range v.Report.Components {
			if n := utf8.RuneCountInString(c.Summary); n > rule.MaxSummary {
				p.long["component "+string(c.Name)] = fmt.Sprintf("%d characters: %s", n, c.Summary)
			}
		}
	}
	p.last, p.offset, p.view = v.Report, offset, v
	return p.text.print(v, offset)
}

func (p *expectPrinter) end() error {
	p.list.Check(p.offset, p.last)
	return p.text.end()
}

// Expectations may name only existing components.
func TestExpectationsKnowTheComponents(t *testing.T) {
	var want []string
	for _, c := range report.ComponentNames() {
		want = append(want, string(c))
	}
	if diff := cmp.Diff(want, expect.Components(), cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("(-components +expect)\n%s", diff)
	}
}

// reports returns the number of reports of an incident, and a checksum over all of
// them.
func reports(t *testing.T, file string) (n int, sum string) {
	t.Helper()
	in, err := play(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	hash := sha256.New()
	j := judge.New(all.Default())
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			return n, fmt.Sprintf("%x", hash.Sum(nil))
		}
		if err != nil {
			t.Fatal(err)
		}
		if v, judged := j.Take(e); judged {
			n++
			if err := json.NewEncoder(hash).Encode(v.Report); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestIncidentReplayedTwiceGivesTheSameBytes(t *testing.T) {
	file := filepath.Join(incidents, "policy-fixed-in-mid-loop.txtar")
	n, first := reports(t, file)
	_, second := reports(t, file)
	if first != second || n < 400 {
		t.Errorf("%d reports, %s and %s", n, first, second)
	}
}
