package page

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// specs are the source specifications of a command.
var specs = []SourceSpec{
	{Name: node.SourceBond, Every: 30 * time.Second, Deadline: 5 * time.Second, Reads: "bonds", Needs: "nothing"},
	{Name: node.SourceDrops, Every: 10 * time.Second, Deadline: 5 * time.Second, Reads: "drop counters", Needs: "nothing"},
	{Name: node.SourceKmsg, Every: time.Second, Deadline: 3 * time.Second, Reads: "the kernel log", Needs: "CAP_SYSLOG"},
	{Name: node.SourceKrbd, Every: time.Second, Deadline: 3 * time.Second, Reads: "sysfs", Needs: "nothing"},
	{Name: node.SourceOVS, Every: time.Second, Deadline: 3 * time.Second, Reads: "OVSDB", Needs: "a socket"},
	{Name: node.SourceQEMU, Every: time.Second, Deadline: 3 * time.Second, Reads: "/proc", Needs: "nothing"},
	{Name: node.SourceCeph, Every: time.Second, Deadline: 3 * time.Second, Reads: "the cluster", Needs: "a key",
		Off: "switched off by ceph.off"},
}

// sourcesOfBlind returns a list in which each state occurs.
func sourcesOfBlind() SourceList {
	v := blindView()
	v.NICs[0].Drops = bond.Drops{Name: "eth0", Driver: "hns3", Unlisted: map[string]uint64{"rx_oom": 7}}
	for i := range v.Report.Sources {
		switch s := &v.Report.Sources[i]; s.Name {
		case node.SourceQEMU:
			s.State, s.Last, s.Partly, s.Remedy = "ok", v.Report.At, "disks plugged in after the start are not seen",
				"give nodewatch CAP_SYS_PTRACE"
		case node.SourceDrops:
			s.State, s.Last = "ok", v.Report.At
		}
	}
	v.Report.Sources = append([]report.SourceState{}, v.Report.Sources...)
	for i, s := range v.Report.Sources {
		if s.Name == node.SourceCeph {
			v.Report.Sources = append(v.Report.Sources[:i], v.Report.Sources[i+1:]...)
			break
		}
	}
	return Sources(v, specs, false)
}

func TestStatesOfSources(t *testing.T) {
	want := map[string][3]string{ // state, reading, and a part of the details
		node.SourceBond: {"seen", "ok", "1 bond, 2 slaves"}, node.SourceDrops: {"seen", "ok", "0 NICs with a known driver"},
		node.SourceKmsg: {"unknown", "denied", "not permitted"}, node.SourceKrbd: {"stalled", "stalled", "has not returned"},
		node.SourceOVS: {"off", "absent", "no Open vSwitch"}, node.SourceQEMU: {"partly", "ok", "disks plugged in"},
		node.SourceCeph: {"off", "off", "ceph.off"},
	}
	l := sourcesOfBlind()
	if len(l.Sources) != len(want) {
		t.Fatalf("got %d sources, want %d", len(l.Sources), len(want))
	}
	for _, s := range l.Sources {
		w := want[s.Name]
		if s.State != w[0] || s.Reading != w[1] || !strings.Contains(s.Sees+s.Error+s.Partly, w[2]) {
			t.Errorf("%s: got %s, %s, sees %q, error %q, partly %q; want %q", s.Name, s.State, s.Reading, s.Sees, s.Error, s.Partly, w)
		}
		if s.Name == node.SourceDrops && (len(s.Drivers) != 1 || s.Drivers[0].Counters["rx_oom"] != 7) {
			t.Errorf("drivers: got %+v", s.Drivers)
		}
	}
	if one := l.Only(node.SourceDrops).Text(Style{}); !strings.Contains(one, "driver hns3 is not known; what looks like drops: rx_oom 7") ||
		!strings.Contains(one, "drop counters") {
		t.Errorf("one source: got\n%s", one)
	}
}

// rulesOfStorm returns a list of rules in which each state occurs.
func rulesOfStorm() RuleList {
	r := stormView().Report
	r.Findings[3].Accepted = &report.Accepted{}
	return Rules(all.Default().Without("nic-drops"), "1.2.3", &r)
}

func silencesOfStorm() SilenceList {
	r := stormView().Report
	w := override.Overrides{Maintenance: &override.Maintenance{Since: r.At.Add(-time.Minute), Until: r.At.Add(time.Hour), By: "carol",
		Reason: "new NIC"}}
	for i, f := range r.Findings {
		r.Findings[i].Accepted = &report.Accepted{}
		w.Accepted = append(w.Accepted, override.Acknowledgement{Rule: f.Rule, Severity: "warning", At: r.At.Add(-time.Minute),
			Until: r.At.Add(time.Hour), By: "carol", Reason: strings.Repeat("the switch comes on Monday ", 5)})
	}
	w.Accepted = append(w.Accepted, override.Acknowledgement{Rule: "bond-lacp", Subject: "bond7", Severity: "info",
		At: r.At.Add(-time.Hour), Until: r.At, By: "dan", Reason: "over"})
	return Silences(w, r.At, "1.2.3", &r)
}

func TestRulesSayWhatIsRaised(t *testing.T) {
	l := rulesOfStorm()
	if got, want := len(l.Rules), len(all.Rules()); got != want || !l.Live {
		t.Fatalf("got %d rules, want %d", got, want)
	}
	if last := l.Rules[len(l.Rules)-1]; last.ID != "nic-drops" || !last.Off {
		t.Errorf("the last is %s, want the one that is off", last.ID)
	}
	text := l.Text(Style{})
	for _, want := range []string{"layer2-bond-krbd ", " critical ", ": bond0\n", " off ", " acknowledged "} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n != len(all.Rules())+1 {
		t.Errorf("without a width there are %d lines, want one for each rule and the head", n)
	}
	without := Rules(all.Default(), "1.2.3", nil)
	if text := without.Text(Style{}); without.Live || strings.Count(text, " ?    ") != len(all.Rules()) {
		t.Errorf("without a daemon: got\n%s", text)
	}
	if _, found := l.Only("nic-drops"); found {
		t.Error("a rule that is off is in force")
	}
	if one, found := l.Only("layer2-bond-krbd"); !found || len(one.Rules) != 1 || one.Rules[0].Raised[0].Subject != "bond0" {
		t.Errorf("got %+v", one)
	}
}

func TestSilencesSayWhatTheySilence(t *testing.T) {
	l := silencesOfStorm()
	if l.Maintenance == nil || len(l.Acknowledged) != len(stormView().Report.Findings) {
		t.Fatalf("got %+v", l)
	}
	for _, a := range l.Acknowledged {
		critical := a.Rule == "krbd-retry-storm" || a.Rule == "krbd-stalled" || a.Rule == "layer2-bond-krbd"
		if (len(a.Findings) == 0) != critical {
			t.Errorf("%s up to warning silences %+v", a.Rule, a.Findings)
		}
	}
	if text := (SilenceList{}).Text(Style{}); text != "No maintenance and no acknowledged findings.\n" {
		t.Errorf("got %q", text)
	}
}

// TestListsFitEveryTerminal: no list is wider than the terminal, and only optional
// columns are left out to fit.
func TestListsFitEveryTerminal(t *testing.T) {
	for name, text := range map[string]func(Style) string{
		"sources": sourcesOfBlind().Text, "one source": sourcesOfBlind().Only(node.SourceDrops).Text, "rules": rulesOfStorm().Text,
		"silences":   silencesOfStorm().Text,
		"summary":    func(s Style) string { return Summary(stormView().Report, s) },
		"check":      func(s Style) string { return Text(stormView(), s) },
		"transition": func(s Style) string { return Transition(stormView().Report.Transitions[0], s) },
	} {
		for _, width := range []int{40, 60, 80, 120, 200} {
			out := text(Style{Width: width})
			for line := range strings.Lines(out) {
				line = strings.TrimSuffix(line, "\n")
				if n := utf8.RuneCountInString(line); n > width && name != "transition" && !strings.Contains(line, "://") {
					t.Errorf("%s, width %d: %d columns: %s", name, width, n, line)
				}
				if strings.HasSuffix(line, " ") {
					t.Errorf("%s, width %d: a blank at the end of %q", name, width, line)
				}
			}
			if name == "sources" {
				for _, word := range []string{"state", "nic-drops", "CAP_SYS_PTRACE", "ceph.off", "stalled", "plugged"} {
					if !strings.Contains(strings.ToLower(out), strings.ToLower(word)) {
						t.Errorf("%s, width %d: %s is left out:\n%s", name, width, word, out)
					}
				}
			}
		}
	}
}

// TestCommandsGoOnInTheNextLine: a command that is wrapped is the same command to a
// shell, and is never wrapped within quotes or a comment.
func TestCommandsGoOnInTheNextLine(t *testing.T) {
	for _, command := range []string{
		"tc qdisc add dev eth0 ingress && tc filter add dev eth0 parent ffff: protocol ip u32 match ip src 198.51.100.0/24 police rate 2gbit",
		`virsh qemu-monitor-command 'a guest with blanks' --hmp "info block a b c d e f g h i" | grep \ x`,
		`echo "a \" b c d e f g" 'it is \' and one more`, "word", "a  two  blanks " + strings.Repeat("x", 90) + " b",
		"echo a # a comment that is longer than the line is, by far and more",
	} {
		for _, room := range []int{1, 10, 28, 40, 400} {
			lines := continued(command, room)
			if got := strings.ReplaceAll(strings.Join(lines, "\n"), " \\\n", " "); got != command {
				t.Errorf("room %d: got %q, want %q", room, got, command)
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); n > room && strings.ContainsAny(strings.TrimSuffix(line, " \\"), " ") &&
					!strings.ContainsAny(strings.TrimSuffix(line, "\\"), `'"#\`) {
					t.Errorf("room %d: %d columns: %q", room, n, line)
				}
				if strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\'`, ""), `\"`, ""), `"`)%2 != 0 {
					t.Errorf("room %d: broken within quotes: %q", room, lines)
				}
			}
		}
	}
}

// TestFirstSteps: the verdict is followed by the first steps.
func TestFirstSteps(t *testing.T) {
	storm, blind := stormView().Report, blindView().Report
	two := storm
	two.Findings = append([]report.Finding{}, storm.Findings...)
	two.Findings[0].Advice = []report.Advice{{Do: "Look"}, {Do: "Act", Command: "act"}, {Do: "More", Command: "more"}}
	none := two
	none.Findings = append([]report.Finding{}, two.Findings...)
	none.Findings[0].Advice = []report.Advice{{Do: "Look"}, {Do: "Think"}, {Do: "Act", Command: "act"}}
	quiet := storm
	quiet.Maintenance = &report.Maintenance{}
	for name, tt := range map[string]struct {
		r    report.Report
		want string
	}{
		"a command": {storm, "Throttle"}, "a step without a command": {two, "Look,Act"}, "the next command": {none, "Look,Act"},
		"blind": {blind, "kmsg: give nodewatch CAP_SYSLOG"}, "maintenance": {quiet, ""}, "healthy": {healthyView().Report, ""},
	} {
		var got []string
		for _, a := range firstSteps(tt.r) {
			got = append(got, a.Do)
		}
		if all := strings.Join(got, ","); !strings.HasPrefix(all, tt.want) || (all == "") != (tt.want == "") {
			t.Errorf("%s: got %q, want %q", name, all, tt.want)
		}
	}
	text := Text(stormView(), Style{Width: 80})
	head, _, _ := strings.Cut(text, "\n\n")
	if !strings.Contains(head, "Do this first: Throttle") || !strings.Contains(head, "tc qdisc add dev eth0 ingress") {
		t.Errorf("the first part has no command:\n%s", head)
	}
}

func TestListsAreAsTheSchemaSays(t *testing.T) {
	root := readSchemaOf(t, "commands")
	for name, list := range map[string]interface{ JSON() ([]byte, error) }{
		"sources": sourcesOfBlind(), "rules": rulesOfStorm(), "silences": silencesOfStorm(),
		"rules without a daemon":    Rules(all.Default(), "1.2.3", nil),
		"silences without a daemon": Silences(override.Overrides{}, start, "1.2.3", nil),
	} {
		def, _, _ := strings.Cut(name, " ")
		compareWith(t, root, root.Defs[def], reflect.TypeOf(list), def)
		raw, err := list.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range root.check(root.Defs[def], value, name) {
			t.Error(wrong)
		}
	}
}
