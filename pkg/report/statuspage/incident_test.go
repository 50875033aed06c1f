package statuspage_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/report/statuspage"
)

// public returns a configuration that opens incidents, without a rate limit.
func public(t *testing.T, url string) statuspage.Config {
	t.Helper()
	c := config(t, url)
	c.Incidents, c.Name, c.Requests = true, "Node 2", 60
	return c
}

// deliver returns a function that sets the clock of the page to the report's and delivers the report.
func (f *fake) deliver(t *testing.T, x *statuspage.Reporter) func(report.Report) error {
	return func(r report.Report) error {
		f.mu.Lock()
		f.now = r.At
		f.mu.Unlock()
		return x.Report(t.Context(), r)
	}
}

// step delivers a report that many minutes after noon, and stops the test if that
// fails.
func step(t *testing.T, f *fake, r *statuspage.Reporter, minute int, words string) {
	t.Helper()
	if err := f.deliver(t, r)(at(minute, words)); err != nil {
		t.Fatalf("minute %d: %v", minute, err)
	}
}

func at(minute int, words string) report.Report {
	return reporttest.At(time.Duration(minute)*time.Minute, words)
}

// state returns the page's incidents, one per line.
func (f *fake) state() string {
	var lines []string
	for _, x := range f.incidents {
		var ids []string
		for _, c := range x.Components {
			ids = append(ids, c["id"])
		}
		lines = append(lines, fmt.Sprintf("%s: %s, %s, %s: %s", x.Name, x.Status, x.Impact, strings.Join(ids, "+"),
			strings.Join(x.Bodies, " ")))
	}
	return strings.Join(lines, "\n")
}

const (
	minor = "node=degraded_performance storage=degraded_performance"
	some  = "node=partial_outage storage=partial_outage"
	all   = "node=major_outage storage=major_outage"
	over  = "node=operational storage=operational"
)

func TestAnIncidentFromItsStartToItsEnd(t *testing.T) {
	f, url := newFake(t, two())
	got := f.Transcript(t, f.deliver(t, start(t, public(t, url))), over, minor, some, some, all, "node=unknown storage=unknown", minor,
		over, over, minor, over)
	reporttest.Golden(t, *update, "incident.txt", got)
	if f.mails != 0 {
		t.Errorf("%d mails to subscribers", f.mails)
	}
	for line := range strings.Lines(got) {
		for word := range strings.FieldsSeq("node2 rl1 libceph osd12 crc") {
			if !strings.HasPrefix(line, "# ") && strings.Contains(line, word) {
				t.Errorf("%q is published: %s", word, line)
			}
		}
	}
}

func TestARestartFindsTheIncidentAgain(t *testing.T) {
	f, url := newFake(t, two())
	f.incidents = append(f.incidents, // incidents of others, with any metadata
		&held{ID: "other", Name: "Mail", Status: "identified", Metadata: map[string]any{"nodewatch": map[string]any{"key": 5},
			"jira": map[string]any{"issue": "A-1"}}},
		&held{ID: "none", Name: "Web", Status: "monitoring"})
	step(t, f, start(t, public(t, url)), 0, all)
	step(t, f, start(t, public(t, url)), 1, all)
	other := at(2, all)
	other.Node = "node3"
	if err := f.deliver(t, start(t, public(t, url)))(other); err != nil {
		t.Fatal(err)
	}
	step(t, f, start(t, public(t, url)), 3, over)
	want := "Mail: identified, , : \nWeb: monitoring, , : \n" +
		"Node 2: major outage: resolved, critical, b0lbrjvgnqpc+ftgks51sfs2d: Services on Node 2 are not available. We are looking into it. Node 2 works normally again.\n" +
		"Node 2: major outage: investigating, critical, b0lbrjvgnqpc+ftgks51sfs2d: Services on Node 2 are not available. We are looking into it."
	if diff := cmp.Diff(want, f.state()); diff != "" {
		t.Error(diff)
	}
}

func TestARestartResolvesNothingTooEarly(t *testing.T) {
	f, url := newFake(t, two())
	step(t, f, start(t, public(t, url)), 0, all)
	r := start(t, public(t, url))
	for minute, want := range []string{"", "investigating", "investigating", "investigating", "resolved"} {
		if want == "" {
			continue
		}
		now := at(minute, over)
		now.Started = reporttest.Noon.Add(time.Minute)
		if err := f.deliver(t, r)(now); err != nil || f.incidents[0].Status != want {
			t.Errorf("minute %d: %s, %v", minute, f.state(), err)
		}
	}
}

func TestAnIncidentOfThisRunIsResolvedEarly(t *testing.T) {
	f, url := newFake(t, two())
	r := start(t, public(t, url))
	for minute, words := range []string{all, over} {
		now := at(minute, words)
		now.Started = reporttest.Noon
		if err := f.deliver(t, r)(now); err != nil {
			t.Fatal(err)
		}
	}
	if f.incidents[0].Status != "resolved" {
		t.Error(f.state())
	}
}

func TestAnIncidentNamesWhatWasEverBad(t *testing.T) {
	f, url := newFake(t, two())
	r := start(t, public(t, url))
	for minute, c := range []struct{ words, want string }{
		{"storage=partial_outage", "b0lbrjvgnqpc"},
		{"storage=operational node=major_outage", "b0lbrjvgnqpc+ftgks51sfs2d"},
	} {
		step(t, f, r, minute, c.words)
		if got := f.state(); !strings.Contains(got, ", "+c.want+":") {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// A component that was removed from the page does not prevent opening an incident.
func TestAnIncidentThoughAComponentIsGone(t *testing.T) {
	f, url := newFake(t, map[string]string{"ftgks51sfs2d": "operational"})
	err := start(t, public(t, url)).Report(t.Context(), at(0, "node=major_outage storage=operational"))
	if got := report.FailureOf(err); got == nil || got.Kind != report.Partial || len(f.incidents) != 1 {
		t.Errorf("%v, %s", err, f.state())
	}
}

// The page accepted the incident and the response was lost: it is found, not opened
// again.
func TestALostAnswerMakesNoSecondIncident(t *testing.T) {
	f, url := newFake(t, two())
	r := start(t, public(t, url))
	f.lose = http.MethodPost
	err := r.Report(t.Context(), at(0, all))
	reporttest.WantFailure(t, err, report.Transient)
	step(t, f, r, 1, all)
	step(t, f, r, 2, over)
	if got := f.state(); strings.Contains(got, "\n") || !strings.Contains(got, "resolved") {
		t.Errorf("%s", got)
	}
}

// A person's changes to the incident are kept.
func TestAPersonIsNotOverruled(t *testing.T) {
	f, url := newFake(t, two())
	r := start(t, public(t, url))
	step(t, f, r, 0, some)
	f.incidents[0].Status = "identified"
	step(t, f, r, 1, all)
	if got := f.incidents[0].Status; got != "identified" {
		t.Errorf("is %s again", got)
	}
	f.incidents[0].Status = "resolved"
	for n, words := range []string{some, all, minor, all} {
		step(t, f, r, 2+n, words)
	}
	if n := len(f.incidents); n != 1 {
		t.Errorf("opened again: %s", f.state())
	}
	step(t, f, r, 7, over)
	step(t, f, r, 8, some)
	if n := len(f.incidents); n != 2 {
		t.Errorf("the next one is not opened: %s", f.state())
	}
	f.incidents[1].Status = "resolved"
	step(t, f, r, 9, minor)
	step(t, f, r, 10, all)
	if n := len(f.incidents); n != 3 {
		t.Errorf("what is worse than what was closed is not opened: %s", f.state())
	}
}

func TestTooManyIncidents(t *testing.T) {
	f, url := newFake(t, two())
	for n := range 501 {
		f.incidents = append(f.incidents, &held{ID: fmt.Sprint("x", n), Status: "investigating"})
	}
	r := start(t, public(t, url))
	for minute, asked := range []int{5, 0, 0, 0, 0, 5} {
		err := f.deliver(t, r)(at(minute, all))
		reporttest.WantFailure(t, err, report.Partial, "more than 500")
		if n := strings.Count(f.Lines(), "unresolved"); n != asked {
			t.Errorf("minute %d: asked %d times, want %d", minute, n, asked)
		}
	}
	if len(f.incidents) != 501 || f.components["ftgks51sfs2d"] != "major_outage" {
		t.Error("an incident was opened, or the component was not told")
	}
}

func TestOwnTextsAndSubscribers(t *testing.T) {
	f, url := newFake(t, two())
	c := public(t, url)
	c.From, c.Notify = "degraded_performance", true
	c.Titles = map[string]string{"degraded_performance": "Slow: {name}"}
	c.Texts = map[string]string{"degraded_performance": "{name} is slow.", "operational": "{name} is fine."}
	r := start(t, c)
	step(t, f, r, 0, minor)
	step(t, f, r, 1, over)
	want := "Slow: Node 2: resolved, minor, b0lbrjvgnqpc+ftgks51sfs2d: Node 2 is slow. Node 2 is fine."
	if got := f.state(); got != want || f.mails != 2 {
		t.Errorf("%s; %d mails", got, f.mails)
	}
}

// The fake rejects what the API would reject, so that an accepted request is
// meaningful.
func TestTheFakeRefuses(t *testing.T) {
	f, _ := newFake(t, two())
	word := func(s string) *string { return &s }
	for reason, x := range map[string]said{
		"name is required":           {},
		"name is too long":           {Name: word(strings.Repeat("x", 256))},
		"body is too long":           {Name: word("x"), Body: strings.Repeat("x", 25001)},
		"status is invalid":          {Name: word("x"), Status: word("open")},
		"impact_override is invalid": {Name: word("x"), Impact: word("degraded_performance")},
		"component_ids are invalid":  {Name: word("x"), IDs: []string{"gone"}},
	} {
		if got := f.wrong(x, ""); got != reason {
			t.Errorf("%q, want %q", got, reason)
		}
	}
	if got := f.wrong(said{}, "incident1"); got != "" {
		t.Errorf("a change without a name: %s", got)
	}
}
