package native_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// crowded returns a report with that many findings, with that many facts each.
func crowded(findings, facts int) report.Report {
	r := calm(0)
	for n := range findings {
		f := report.Finding{Rule: "nic-drops", Subject: fmt.Sprintf("eno%d", n), Component: "network", Severity: report.Warning,
			Impact: report.Operational, State: report.Seen, Summary: "drops"}
		for range facts {
			f.Evidence = append(f.Evidence, report.Evidence{Source: "nic", Fact: strings.Repeat("drop ", 50)})
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// Omitted parts are counted; all components are sent, and the worst findings take
// precedence.
func TestWhatIsCutIsCounted(t *testing.T) {
	for _, c := range []struct {
		name        string
		r           report.Report
		findings    int
		transitions int
		cut         *native.Cut
	}{
		{"nothing", withTransitions(crowded(3, 2), 1, 30), 3, 30, nil},
		{"transitions wait", withTransitions(crowded(3, 50), 1, 150), 3, 25, nil},
		{"evidence", withTransitions(crowded(60, 10), 1, 30), 60, 25, &native.Cut{Evidence: 600}},
		{"findings", withTransitions(crowded(300, 0), 1, 30), 20, 10, &native.Cut{Findings: 280}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, waiting, err := native.Write(native.Default(), c.r, native.MaxBody)
			var b native.Body
			if err == nil {
				err = json.Unmarshal(raw, &b)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.cut, b.Cut); diff != "" {
				t.Errorf("cut (-want +got):\n%s", diff)
			}
			if len(b.Findings) != c.findings || len(b.Transitions) != c.transitions || b.Waiting != waiting-c.transitions ||
				len(b.Components) != 6 || len(raw) > native.MaxBody {
				t.Errorf("%d findings, %d transitions, %d waiting, %d components, %d bytes", len(b.Findings), len(b.Transitions), b.Waiting,
					len(b.Components), len(raw))
			}
			if c.findings > 0 && b.Findings[0].Subject != "eno0" {
				t.Errorf("the first finding is %s", b.Findings[0].Subject)
			}
		})
	}
}

// A backend with a smaller limit gets smaller bodies, until the queue is empty; after
// an hour a full body is tried again.
func TestABackendThatTakesLess(t *testing.T) {
	for _, says := range []bool{true, false} {
		var sizes []int
		url, rc, rec := backend(t, receiver.Config{MaxBody: 10 << 10}, func(w http.ResponseWriter, q *http.Request) bool {
			if q.ContentLength <= 0 {
				t.Error("no length")
			}
			if raw := rawOf(q); len(raw) > 10<<10 && !says {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return true
			}
			return false
		})
		x := reporter(t, url, statefile.File{})
		r := withTransitions(crowded(20, 5), 1, 60)
		if err := x.Report(t.Context(), r); err != nil {
			t.Fatalf("says the limit: %v: %v", says, err)
		}
		wantQueue(t, x, report.Queue{})
		if got := rc.Node("rl1/node2"); len(got.Transitions) != 60 || got.Repeated != 0 {
			t.Errorf("says the limit: %v: %d transitions, %d repeated", says, len(got.Transitions), got.Repeated)
		}
		for _, q := range rec.Drain() {
			sizes = append(sizes, len(plain(t, q)))
		}
		tooLarge := 0
		for _, n := range sizes {
			if n > 10<<10 {
				tooLarge++
			}
		}
		if says && tooLarge != 1 || !says && tooLarge != 2 {
			t.Errorf("says the limit: %v: sizes %v", says, sizes)
		}
		for _, later := range []time.Duration{time.Minute, native.ShrunkFor + time.Minute} {
			r := crowded(30, 5)
			r.At = r.At.Add(later)
			if err := x.Report(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if first := len(plain(t, rec.Drain()[0])); (first > 10<<10) != (later > native.ShrunkFor) {
				t.Errorf("after %s the first body has %d bytes", later, first)
			}
		}
	}
}

// rawOf returns the body of a handler's request; the next handler can read it again.
func rawOf(q *http.Request) []byte {
	raw, _ := io.ReadAll(q.Body)
	q.Body = io.NopCloser(strings.NewReader(string(raw)))
	if q.Header.Get("Content-Encoding") == "" {
		return raw
	}
	z, err := unzip(raw)
	if err != nil {
		return nil
	}
	return z
}

// Property: for any report, the body is at most 64 KiB, conforms to the schema,
// contains no more than the report, and takes at least one transition from the queue.
func FuzzBodyFits(f *testing.F) {
	f.Add("node2", "rl1", "eno1 \"quoted\" <&>", uint16(3), uint16(2), uint16(10), int64(1795348800000))
	f.Add("", "", "", uint16(0), uint16(0), uint16(0), int64(0))
	f.Add("n\x00\xff/ö", "\u2028", strings.Repeat("\u2028\x01é\"\\", 500), uint16(70), uint16(50), uint16(200), int64(-1)<<62)
	f.Add("n", "s", strings.Repeat("\\", 1100), uint16(64), uint16(40), uint16(200), int64(1)<<62)
	schema, err := receiver.NewSchema()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, node, site, text string, components, findings, transitions uint16, at int64) {
		r := wild(node, site, text, int(components%100), int(findings%100), uint64(transitions%1200), time.UnixMilli(at))
		raw, waiting, err := native.Write(native.Default(), r, native.MaxBody)
		if err != nil {
			t.Fatal(err)
		}
		var b native.Body
		if wrong := schema.Report(raw); len(wrong) > 0 {
			t.Fatalf("%d bytes, wrong: %v", len(raw), wrong[:min(3, len(wrong))])
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		cut := native.Cut{}
		if b.Cut != nil {
			cut = *b.Cut
		}
		switch {
		case len(raw) > native.MaxBody:
			t.Fatalf("%d bytes", len(raw))
		case len(b.Components)+cut.Components != len(r.Components), len(b.Findings)+cut.Findings != len(r.Findings),
			len(b.Transitions)+b.Waiting != waiting:
			t.Fatalf("not everything is counted: %+v", cut)
		case waiting > 0 && len(b.Transitions) == 0:
			t.Fatal("the queue does not move")
		}
	})
}

// wild returns a report in which every text is the given one.
func wild(node, site, text string, components, findings int, transitions uint64, at time.Time) report.Report {
	r := calm(0)
	r.Node, r.Site, r.At, r.Version, r.Boot, r.Started = node, site, at, text, text, at
	r.Labels = report.Labels{}
	r.Components = nil
	for n := range components {
		r.Labels[fmt.Sprint(text, n)] = text
		r.Components = append(r.Components, report.Component{Name: report.ComponentName(fmt.Sprint("c", n, text)),
			Status: report.Impacts()[n%6], Since: at, Summary: text, State: report.Blind})
	}
	facts := []report.Evidence{{Source: text, Subject: text, Fact: text, At: at}}
	for n := range findings {
		r.Findings = append(r.Findings, report.Finding{
			Rule: "r" + text, Subject: text, Component: report.ComponentName(fmt.Sprint("c", n, text)), Severity: report.Info,
			Impact: report.Impacts()[n%6], State: report.Seen,
			Summary: text, Since: at, Evidence: facts, Advice: []report.Advice{{Do: text, Command: text}}, Runbook: text,
			Accepted: &report.Accepted{By: text, Reason: text},
		})
	}
	r.Maintenance = &report.Maintenance{By: text, Reason: text}
	r = withTransitions(r, 1, transitions)
	for i := range r.Transitions {
		x := &r.Transitions[i]
		x.Rule, x.Component, x.Subject, x.Summary, x.At = "r"+text, report.ComponentName("c"+text), text, text, at
	}
	return r
}

func BenchmarkWrite(b *testing.B) {
	r := withTransitions(crowded(5, 5), 1, 5)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := native.Write(native.Default(), r, native.MaxBody); err != nil {
			b.Fatal(err)
		}
	}
}
