package page

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// plugin returns a report as a plugin's output.
func plugin(r report.Report) string {
	out, _ := Nagios(r, false)
	return out
}

func TestGoldenTexts(t *testing.T) {
	v := stormView()
	golden(t, "storm.txt", []byte(Text(v, Style{Width: 100})))
	golden(t, "storm.ansi", []byte(Text(v, Style{Width: 80, Color: true})))
	golden(t, "blind.txt", []byte(Text(blindView(), Style{})))
	golden(t, "storm.nagios", []byte(plugin(v.Report)))
	var lines strings.Builder
	for _, tr := range v.Report.Transitions {
		lines.WriteString(Transition(tr, Style{}))
	}
	golden(t, "storm.transitions", []byte(lines.String()))
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestColourChangesNothingButColour(t *testing.T) {
	v := hostileView()
	plain, colour := Text(v, Style{Width: 80}), Text(v, Style{Width: 80, Color: true})
	if strings.Contains(plain, "\x1b") || !strings.Contains(colour, "\x1b[1;31mCRITICAL\x1b[0m") {
		t.Error("the plain text has colours, or the coloured one has none")
	}
	if diff := cmp.Diff(plain, escape.ReplaceAllString(colour, "")); diff != "" {
		t.Error(diff)
	}
}

func TestLinesFitTheTerminalAndCommandsCanBePasted(t *testing.T) {
	text := Text(stormView(), Style{Width: 80})
	command := "tc qdisc add dev eth0 ingress && tc filter add dev eth0 parent ffff: protocol ip u32 match ip src 198.51.100.0/24 police rate 2gbit burst 1m drop"
	if joined := regexp.MustCompile(`\\\n +`).ReplaceAllString(text, ""); !strings.Contains(joined, " "+command+"\n") {
		t.Error("the command is not what it was once its lines are joined")
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if piped := Text(stormView(), Style{Width: 80, Whole: true}); !strings.Contains(piped, " "+command+"\n") {
		t.Error("the command is not in one line")
	}
	if long := Text(stormView(), Style{}); !strings.Contains(long, "and 39 of 78 krbd disks complete nothing\n") {
		t.Error("a line was broken although no width is given")
	}
}

func TestTextOfAReportWithoutAView(t *testing.T) {
	text := Text(judge.View{Report: stormView().Report}, Style{})
	if !strings.Contains(text, "krbd-retry-storm") || strings.Contains(text, "\nBonds") || strings.Contains(text, "\nDisks") {
		t.Error(text)
	}
}

func TestHostileTextsCannotSteerATerminal(t *testing.T) {
	v := hostileView()
	v.Report.Node = "n\x1b]0;x\a"
	for name, text := range map[string]string{
		"text": Text(v, Style{}), "nagios": plugin(v.Report), "transition": Transition(v.Report.Transitions[0], Style{}),
		"status": StatusLine(v.Report),
	} {
		if i := strings.IndexAny(text, "\x1b\a\r\u202e\u2028"); i >= 0 {
			t.Errorf("%s: a control character at %d: %q", name, i, text[max(0, i-20):i+5])
		}
		if !strings.Contains(text, "alert(1)") {
			t.Errorf("%s: there is no hostile text in it", name)
		}
	}
}

// A text must not end the line, begin perfdata or open a double quote. Apostrophes
// survive.
func TestNagiosTextsCannotForgePerfdata(t *testing.T) {
	r := stormView().Report
	r.Findings[0].Summary = "a | critical=0;;\nOK | x='1' `id` $(id) \"q\" bond0's"
	r.Findings[0].Evidence[0].Fact = "it's | here"
	out := plugin(r)
	first, rest, _ := strings.Cut(out, "\n")
	if want := "NODEWATCH CRITICAL - a / critical=0;; OK / x='1' id (id) q bond0's; 1 finding explained by it; 3 more findings | critical=3;;0;0 warning=1;0;;0 info=1;;;0 blind_sources=0;;;0 unknown_components=0;;;0"; first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	if strings.ContainsAny(rest, "|\"`") || !strings.Contains(rest, "it's / here") {
		t.Errorf("there are signs that steer in %s", rest)
	}
}

// A command is printed unchanged, however long, or not at all.
func TestNagiosNeverChangesACommand(t *testing.T) {
	long := "virsh qemu-monitor-command 'vm 1' --hmp \"info block\" && echo `date` $HOME " + strings.Repeat("x", 2000) + " > /tmp/a"
	for command, visible := range map[string]bool{"echo safe": true, long: true, "dmesg | tail": false, "echo a\nrm b": false,
		"echo \x1b[2J": false, strings.Repeat("y", 9000): false} {
		r := stormView().Report
		r.Findings[0].Advice = []report.Advice{{Do: "do this", Command: command}}
		out := plugin(r)
		if strings.Contains(out, "  do: do this: "+command+"\n") != visible {
			t.Errorf("%.40q shown: %t, want %t\n%.300s", command, !visible, visible, out)
		}
		word := command[:3]
		if !visible && strings.Contains(out, word) {
			t.Errorf("half of %.40q is shown", command)
		}
	}
}

// A detail that does not fit is left out as a whole, the least important first, and this
// is reported.
func TestNagiosFitsAndSaysWhatIsMissing(t *testing.T) {
	r := stormView().Report
	base := r.Findings[0]
	r.Findings = nil
	for i := range 40 {
		f := base
		f.Subject, f.Evidence = "bond"+number(i), nil
		for j := range 30 {
			f.Evidence = append(f.Evidence, report.Evidence{At: r.At, Source: "nic",
				Fact: "fact " + number(j) + strings.Repeat(" word", 40) + " end"})
		}
		r.Findings = append(r.Findings, f)
	}
	out := plugin(r)
	if len(out) >= 8192 {
		t.Errorf("%d bytes", len(out))
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; !regexp.MustCompile(`^\d+ lines omitted; nodewatch check prints all$`).MatchString(last) {
		t.Errorf("the last line is %q", last)
	}
	for i := range maxPluginFindings {
		if !strings.Contains(out, "CRITICAL krbd-retry-storm bond"+number(i)+": ") {
			t.Errorf("finding %d is not there", i)
		}
	}
	if n := strings.Count(out, "  do: "); n < maxPluginFindings*len(base.Advice) {
		t.Errorf("advice is left out before evidence: %d lines", n)
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "  for: ") && !strings.HasSuffix(line, " end") {
			t.Errorf("half a line: %q", line)
		}
	}
	if small := plugin(stormView().Report); strings.Contains(small, "left out") {
		t.Errorf("something is left out of\n%s", small)
	}
}

// Without a daemon the node is not monitored, which is at least a warning.
func TestNagiosWithoutADaemon(t *testing.T) {
	for name, c := range map[string]struct {
		view judge.View
		code int
		word string
	}{"healthy": {healthyView(), 1, "WARNING"}, "risk": {riskView(), 1, "WARNING"}, "storm": {stormView(), 2, "CRITICAL"},
		"blind": {blindView(), 3, "UNKNOWN"}} {
		out, code := Nagios(c.view.Report, true)
		if code != c.code || !strings.HasPrefix(out, "NODEWATCH "+c.word+" - one-shot") {
			t.Errorf("%s: exit %d, %.80s", name, code, out)
		}
		if _, code := Nagios(c.view.Report, false); code != ExitCode(c.view.Report) {
			t.Errorf("%s: exit %d with a daemon", name, code)
		}
	}
}

// An error may contain what a server has sent: it stays one printable line of bounded
// size without perfdata.
func TestNagiosUnknownIsOneSafeLine(t *testing.T) {
	for _, reason := range []string{"500 \x1b[31mred\a | ok=1\n`id`\u009b", strings.Repeat("ä\x1b", 20000), "\xff|"} {
		out, code := NagiosUnknown(reason)
		line, rest, _ := strings.Cut(out, "\n")
		if code != exitUnknown || rest != "" || line != Printable(line) || strings.ContainsAny(line, "|`") || len(out) > 8192 ||
			!strings.HasPrefix(line, "NODEWATCH UNKNOWN - ") {
			t.Errorf("exit %d, %d bytes: %.80q", code, len(out), out)
		}
	}
}

var pluginLine = regexp.MustCompile(`^NODEWATCH (OK|WARNING|CRITICAL|UNKNOWN) - [^|]+ \| ([a-z_]+=\d+;\d*;\d*;\d* ?)+$`)

func TestNagiosLineHasItsForm(t *testing.T) {
	for name, v := range map[string]judge.View{"healthy": healthyView(), "risk": riskView(), "storm": stormView(), "blind": blindView(),
		"large": largeView(), "hostile": hostileView()} {
		out := plugin(v.Report)
		if first, _, _ := strings.Cut(out, "\n"); !pluginLine.MatchString(first) {
			t.Errorf("%s: %s", name, first)
		}
		if len(out) >= 8192 {
			t.Errorf("%s: %d bytes", name, len(out))
		}
	}
	long := stormView().Report
	long.Findings[0].Summary = strings.Repeat("ä", 1000)
	if first, _, _ := strings.Cut(plugin(long), "\n"); len(first) > 500 || !utf8.ValidString(first) {
		t.Errorf("a long text is not cut: %d bytes", len(first))
	}
}

func TestExitCodes(t *testing.T) {
	raised := func(component report.ComponentName, s report.Severity) report.Finding {
		return report.Finding{Rule: "r", Component: component, Severity: s}
	}
	dark := func(name report.ComponentName) []report.Component {
		return []report.Component{{Name: name, Status: report.Unknown, Summary: "cannot be seen"}}
	}
	for name, c := range map[string]struct {
		report report.Report
		want   int
	}{
		"nothing":   {report.Report{}, 0},
		"a note":    {report.Report{Findings: []report.Finding{raised("storage", report.Info)}}, 0},
		"a warning": {report.Report{Findings: []report.Finding{raised("network", report.Warning)}}, 1},
		"critical": {report.Report{Findings: []report.Finding{raised("network", report.Warning),
			raised("storage", report.Critical)}}, 2},
		"blind storage": {report.Report{Components: dark("storage")}, 3},
		"blind network": {report.Report{Components: dark("network")}, 3},
		"blind network with a note": {report.Report{Components: dark("network"),
			Findings: []report.Finding{raised("storage", report.Info)}}, 3},
		"blind cluster": {report.Report{Components: dark("cluster")}, 0},
		"blind storage, and it says so": {report.Report{Components: dark("storage"),
			Findings: []report.Finding{raised("nodewatch", report.Warning)}}, 3},
		"blind storage, a warning of guests": {report.Report{Components: dark("storage"),
			Findings: []report.Finding{raised("nodewatch", report.Warning), raised("guests", report.Warning)}}, 1},
		"blind storage, a critical network": {report.Report{Components: dark("storage"),
			Findings: []report.Finding{raised("network", report.Critical)}}, 2},
		"accepted": {report.Report{Findings: []report.Finding{acceptedBy(raised("network",
			report.Critical))}}, 0},
		"accepted and another": {report.Report{Findings: []report.Finding{acceptedBy(raised("network", report.Critical)),
			raised("network", report.Warning)}}, 1},
		"maintenance": {report.Report{Maintenance: &report.Maintenance{By: "bob"},
			Findings: []report.Finding{raised("network", report.Critical)}}, 0},
		"its own sight only": {report.Report{Findings: []report.Finding{raised("nodewatch", report.Warning)}}, 1},
	} {
		if got := ExitCode(c.report); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func acceptedBy(f report.Finding) report.Finding {
	f.Accepted = &report.Accepted{At: start, Until: start.Add(72 * time.Hour), By: "alice", Reason: "switch comes on Monday"}
	return f
}

// Overrides by operators are shown in every output.
func TestOverridesAreShownEverywhere(t *testing.T) {
	v := stormView()
	v.Report.Findings = slices.Clone(v.Report.Findings)
	v.Report.Findings[0] = acceptedBy(v.Report.Findings[0])
	v.Report.Findings[1].Flapping = true
	outputs := func() map[string]string {
		return map[string]string{"page": html(t, v, 0), "text": Text(v, Style{}), "nagios": plugin(v.Report),
			"JSON": string(asJSON(t, v.Report))}
	}
	for name, text := range outputs() {
		words := []string{"Acknowledged by alice until 2026-03-04", "switch comes on Monday", "Flapping, last observed"}
		if name == "JSON" {
			words = []string{`"by": "alice"`, "switch comes on Monday", `"flapping": true`}
		}
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s: there is no %q", name, w)
			}
		}
	}
	v.Report.Maintenance = &report.Maintenance{Since: start, Until: start.Add(2 * time.Hour), By: "bob", Reason: "new NIC"}
	for name, text := range outputs() {
		if !strings.Contains(text, "new NIC") || !strings.Contains(text, v.Report.Findings[0].Rule) {
			t.Errorf("%s: it does not show the maintenance, or hides what is raised", name)
		}
	}
}

// Every output shows the same verdict.
func TestOutputsAgree(t *testing.T) {
	words := []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}
	for name, v := range map[string]judge.View{"healthy": healthyView(), "risk": riskView(), "storm": stormView(), "blind": blindView()} {
		word := words[ExitCode(v.Report)]
		for kind, text := range map[string]string{
			"<span class=\"word\">" + word + "</span>": html(t, v, 0), "node2: " + word + " ": Text(v, Style{}),
			"NODEWATCH " + word + " - ": plugin(v.Report), word + ": ": StatusLine(v.Report),
		} {
			if !strings.Contains(text, kind) {
				t.Errorf("%s: there is no %q", name, kind)
			}
		}
	}
}

func TestTransitionLines(t *testing.T) {
	for want, tr := range map[string]report.Transition{
		"2026-03-01T02:13:00Z  raised   warning   r: s":                                                                           {From: "clear", To: "warning", Impact: report.Operational},
		"2026-03-01T02:13:00Z  cleared  critical  r: s":                                                                           {From: "critical", To: "clear", Impact: report.MajorOutage},
		"2026-03-01T02:13:00Z  worse    critical  r (major outage): s":                                                            {From: "warning", To: "critical", Impact: report.MajorOutage},
		"2026-03-01T02:13:00Z  milder   info      r: s":                                                                           {From: "warning", To: "info", Impact: report.Operational},
		"2026-03-01T02:13:00Z  blind    warning   r (its sources are blind): s":                                                   {From: "warning", To: "warning", Impact: report.Operational, State: report.Blind},
		"2026-03-01T02:13:00Z  seen     warning   r (partial outage) (its sources are available again): s":                        {From: "warning", To: "warning", Impact: report.PartialOutage, State: report.Seen},
		"2026-03-01T02:13:00Z  changed  warning   r: s":                                                                           {From: "warning", To: "warning", Impact: report.Operational},
		"2026-03-01T02:13:00Z  worse    critical  r (impact from degraded performance to major outage): s":                        {From: "critical", To: "critical", Impact: report.MajorOutage, ImpactFrom: report.DegradedPerformance, State: report.Seen},
		"2026-03-01T02:13:00Z  milder   warning   r (impact from degraded performance to operational): s":                         {From: "warning", To: "warning", Impact: report.Operational, ImpactFrom: report.DegradedPerformance, State: report.Seen},
		"2026-03-01T02:13:00Z  worse    warning   r (impact from operational to degraded performance) (its sources are blind): s": {From: "warning", To: "warning", Impact: report.DegradedPerformance, ImpactFrom: report.Operational, State: report.Blind},
		"2026-03-01T02:13:00Z  worse    critical  r (partial outage): s":                                                          {From: "warning", To: "critical", Impact: report.PartialOutage, ImpactFrom: report.Operational, State: report.Seen},
		"2026-03-01T02:13:00Z  milder   warning   r (impact from major outage to operational): s":                                 {From: "critical", To: "warning", Impact: report.Operational, ImpactFrom: report.MajorOutage, State: report.Seen},
		"2026-03-01T02:13:00Z  cleared  warning   r: s":                                                                           {From: "warning", To: "clear", Impact: report.Operational, ImpactFrom: report.PartialOutage, State: report.Seen},
	} {
		tr.At, tr.Rule, tr.Summary = start, "r", "s"
		if got := Transition(tr, Style{}); got != want+"\n" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		bits(9.8e9): "9.80 Gbit/s", bits(1e10): "10 Gbit/s", bits(0): "0 bit/s", bits(312.5e6): "312 Mbit/s", digits(41000): "41,000",
		digits(0.004):  "0.00",
		percent(0.996): "99 %", percent(1): "100 %", percent(0.001): "<1 %", percent(0): "0 %",
		number(0): "0", number(999): "999", number(uint64(56477)): "56,477", number(-1234): "-1,234", number(1234567): "1,234,567",
		span(0): "0 s", span(-time.Hour): "0 s", span(59 * time.Second): "59 s", span(250 * time.Second): "4 min 10 s",
		span(2 * time.Hour): "2 h", span(76 * time.Hour): "3 d 4 h",
		hour(start, start.Add(time.Minute)): "02:13:00", hour(start, start.Add(24*time.Hour)): "2026-03-01 02:13:00",
		hour(time.Time{}, start): "never",
		stamp(start):             "2026-03-01 02:13:00 UTC", from(time.Time{}, start): "before nodewatch started",
		ago(start, start.Add(9*time.Second)): "02:13:00 (9 s ago)",
		Printable("a\tb\nc\x00\u202e\xff"):   "a b c???", plural(1, "a", "b"): "1 a", plural(0, "a", "b"): "0 b", speed(0): "speed unknown",
		speed(25000): "25 Gbit/s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Whatever a text contains, the summary neither panics nor outputs a control
// character, and when wrapped to a width it contains the same words.
func FuzzText(f *testing.F) {
	f.Add("a b", "c", 80)
	f.Add(evil, "x\x1b", 0)
	f.Add(strings.Repeat("wide ", 100), "\u2028", 3)
	f.Fuzz(func(t *testing.T, summary, subject string, width int) {
		r := report.Report{Node: subject, Findings: []report.Finding{{Rule: "r", Subject: subject, Severity: report.Warning,
			Summary: summary}}}
		wrapped, whole := Text(judge.View{Report: r}, Style{Width: width}), Text(judge.View{Report: r}, Style{})
		if a, b := strings.Fields(wrapped), strings.Fields(whole); !cmp.Equal(a, b) {
			t.Errorf("breaking lines changed the words: %s", cmp.Diff(b, a))
		}
		for _, text := range []string{wrapped, plugin(r)} {
			if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(c rune) bool {
				return c < ' ' || c == 0x7f ||
					c == utf8.RuneError
			}) {
				t.Errorf("a control character in %q", text)
			}
		}
		if first, _, _ := strings.Cut(plugin(r), "\n"); strings.Count(first, "|") != 1 {
			t.Errorf("not one perfdata in %q", first)
		}
	})
}

// Every output shows whether reports are delivered and, if it matters, why not.
func TestReportersAreShown(t *testing.T) {
	v := healthyView()
	v.Deliveries.Value = []node.Delivery{
		{Name: "hub", Backend: "native", State: node.DeliveryOK, Last: v.Now.Add(-3 * time.Second)},
		{Name: "oncall", Backend: "alertmanager", State: node.DeliveryOpen, Since: v.Now.Add(-time.Hour), Error: "401 Unauthorized <b>",
			Waiting: 2, Unsaved: 1, Dropped: 5, PersistErr: "no space left"},
	}
	page := html(t, v, 0)
	for _, w := range []string{"hub (native)", "delivered 3 s ago", "oncall (alertmanager)", "never delivered",
		"401 Unauthorized &lt;b&gt;", "2 transitions wait, 1 of them not on disk", "5 transitions are lost", "no space left"} {
		if !strings.Contains(page, w) {
			t.Errorf("there is no %q on the page", w)
		}
	}
	if text := Text(v, Style{}); !strings.Contains(text, "oncall (alertmanager)") || strings.Contains(text, "hub (native)") {
		t.Errorf("%s", text)
	}
}
