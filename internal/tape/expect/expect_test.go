package expect

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// made returns a report with a storage component and findings "RULE SUBJECT SEVERITY IMPACT
// SUMMARY".
func made(storage report.Impact, findings ...string) report.Report {
	r := report.Report{Status: storage, Components: []report.Component{{Name: "storage", Status: storage, Summary: "so it is"},
		{Name: "network", Status: report.Operational}}}
	for _, text := range findings {
		w := strings.SplitN(text, " ", 5)
		r.Findings = append(r.Findings, report.Finding{
			Rule: w[0], Subject: w[1], Severity: report.Severity(w[2]), Impact: report.Impact(w[3]), Summary: w[4], State: report.Seen,
			Evidence: []report.Evidence{{Source: "kmsg", Subject: "osd3", Fact: "40 CRC faults"}},
			Advice:   []report.Advice{{Do: "Map with rxbounce", Command: "rbd map -o rxbounce"}, {Do: "Look at /var/log"}},
		})
	}
	return r
}

// story is quiet, has a storm from 60 s, is blind to it at 90 s and is quiet from 120 s
// on.
func story(l *List) {
	storm := "krbd-retry-storm client1 critical major_outage libceph retry loop"
	l.Check(900*time.Millisecond, made(report.Operational))
	l.Check(60900*time.Millisecond, made(report.MajorOutage, storm, "nic-drops eth0 warning operational dropping 7,000 frames/s"))
	l.Check(90900*time.Millisecond, made(report.PartialOutage, storm))
	l.Check(100900*time.Millisecond, made(report.MajorOutage, storm, "nic-drops eth0 warning operational dropping 9,000 frames/s"))
	l.Check(120900*time.Millisecond, made(report.Operational))
	l.Check(300900*time.Millisecond, made(report.Operational))
}

func TestExpectations(t *testing.T) {
	for text, want := range map[string]string{ // "": the expectation holds
		"at 59s no finding": "",
		"at 60s no finding": "at 1m0s: 2 such findings: krbd-retry-storm client1 critical/major_outage (libceph retry loop); nic-drops",
		"at 60s finding rule=krbd-retry-storm severity=critical":              "",
		"at 80s component storage major_outage":                               "", // the report of 60 s is still current
		"at 1m20s component storage|network >=major_outage":                   "",
		"at 80s component network >=degraded_performance":                     "at 1m20s: network is operational",
		"at 80s component any >=partial_outage":                               "",
		"at 80s component node major_outage":                                  "",
		"at 80s component storage unknown|operational":                        "at 1m20s: storage is major_outage (so it is)",
		"at 80s component storage !=operational":                              "",
		"at 80s component guests >=operational":                               "at 1m20s: the report has no such component",
		"from 60s to 119s component storage >=partial_outage":                 "",
		"from 60s to 2m component storage >=partial_outage":                   "at 2m0.9s: storage is operational (so it is)",
		"from start to 59s no finding":                                        "",
		"from 70s to 80s finding rule=nic-drops":                              "",
		"by 60s finding impact>=partial_outage":                               "",
		"by 59s finding impact>=partial_outage":                               "until 59s: nothing is raised",
		"never finding rule=krbd-io-error":                                    "",
		"never finding text~/RETRY.LOOP/":                                     "at 1m0.9s: krbd-retry-storm client1",
		"never component storage partial_outage":                              "at 1m30.9s: storage is partial_outage",
		"at end no finding":                                                   "",
		"from start to end count <= 2 finding severity>=warning":              "",
		"from start to end count <=1 finding severity>=warning":               "at 1m0.9s: 2 such findings",
		"changes <= 2 finding rule=nic-drops":                                 "",
		"changes <= 1 finding rule=nic-drops":                                 "2 times: nic-drops eth0 at 1m0.9s, nic-drops eth0 at 1m40.9s",
		"from 70s to end changes <= 1 finding rule=nic-drops":                 "", // findings raised at the beginning of the period do not count
		"from 70s to end changes <= 0 finding rule=nic-drops":                 "1 times",
		"at 80s finding evidence~/osd3.*crc/ advice~/rbd map/ advice1!~/log/": "",
		"at 80s finding any~/var\\/log/ state=seen flapping=false":            "",
		"at 80s finding severity<=warning rule!=krbd-retry-storm":             "",
		"at 80s finding impact=partial_outage|degraded_performance":           "at 1m20s: only: krbd-retry-storm",
		"at 80s finding rule=nic-drops subject=eth1":                          "at 1m20s: the closest is nic-drops eth0 warning/operational (dropping 7,000 frames/s), which fails subject=eth1",
		"at 80s finding rule=nic-drops severity<=info":                        "at 1m20s: the closest is nic-drops",
		"at 10m no finding":                                                   "the incident ends before, at 5m0.9s",
	} {
		l, err := Parse("# a comment\nkind: noise\n\n"+text+"\n", 7)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		story(l)
		if e := l.Expectations[0]; l.Kind != "noise" || e.Line != 10 || e.Text != text || (e.Wrong() == "") != (want == "") ||
			!strings.HasPrefix(e.Wrong(), want) {
			t.Errorf("%s: line %d: got %q, want %q", text, e.Line, e.Wrong(), want)
		}
	}
}

func TestExpectationWithoutReportsDoesNotHold(t *testing.T) {
	for _, text := range []string{"never finding", "at start no finding", "changes <= 3 finding", "by end no finding"} {
		l, err := Parse(text, 1)
		if err != nil || l.Expectations[0].Wrong() == "" {
			t.Errorf("%s holds without a report (%v)", text, err)
		}
	}
}

// A mistake is reported with its line, the word, and the allowed values.
func TestMistakesNameLineAndWord(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "line 5: no expectation",
		"kind:":                            "line 5: \"kind:\" names no kind",
		"# all is well":                    "line 5: no expectation",
		"sometimes no finding":             "line 5: \"sometimes\" is not an expectation; valid are \"at TIME WHAT\"",
		"at noon no finding":               "line 5: \"noon\" is not a time such as 90s",
		"at -5s no finding":                "line 5: \"-5s\" is not a time",
		"at 5ms no finding":                "line 5: \"5ms\" is not a time",
		"at 90s":                           "line 5: \"\" is no condition; one is \"component NAME STATUS\"",
		"at 90s finding\nat 90s finds":     "line 6: \"finds\" is no condition",
		"at 90s no findings":               "line 5: \"no findings\" is no condition",
		"from 90s till 2m no finding":      "line 5: \"till\" where \"to\" must follow",
		"from 90s to 80s no finding":       "line 5: the span ends before it begins",
		"never no finding":                 "line 5: \"never no\"",
		"at 9s changes <= 1 finding":       "line 5: \"changes\" after \"at\"",
		"changes < 1 finding":              "line 5: \"< 1 finding\" where \"<= N finding MATCH\" must follow",
		"at 9s component disk operational": "line 5: \"disk\" is not a component; known are storage, network",
		"at 9s component storage fine":     "line 5: \"fine\" is not one of operational, under_maintenance",
		"at 9s component storage >=unknown|operational": "line 5: \"unknown|operational\": >= compares with a single value",
		"at 9s finding colour=red":                      "line 5: \"colour\" is not one of rule, subject",
		"at 9s finding rule":                            "line 5: \"rule\" is not a match; valid are KEY=a|b",
		"at 9s finding rule>=krbd":                      "line 5: \"rule>=krbd\": only severity and impact have an order",
		"at 9s finding severity=loud":                   "line 5: \"loud\" is not one of info, warning, critical",
		"at 9s finding impact>=bad":                     "line 5: \"bad\" is not one of operational",
		"at 9s finding state=gone":                      "line 5: \"state=gone\": \"gone\" is not one of seen, blind",
		"at 9s finding flapping=yes":                    "line 5: \"flapping=yes\": \"yes\" is not one of true, false",
		"at 9s finding text~/(/":                        "line 5: error parsing regexp",
	} {
		_, err := Parse(text, 5)
		var m *Mistake
		if !errors.As(err, &m) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// FuzzParse: any text is either parsed or refused with a line number; parsed
// expectations check any report without a panic, and give the same result for the
// same reports.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"kind: noise\nat 90s no finding rule=a|b text~/x/\nby end component any >=unknown",
		"from 1m to end changes <= 3 finding severity>=warning"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var said [2]string
		for i := range said {
			l, err := Parse(text, 1)
			var m *Mistake
			if err != nil {
				if !errors.As(err, &m) || m.Line < 1 || m.Line > strings.Count(text, "\n")+1 {
					t.Fatalf("refused with %v", err)
				}
				return
			}
			story(l)
			for _, e := range l.Expectations {
				said[i] += e.Wrong() + "\n"
			}
		}
		if said[0] != said[1] {
			t.Errorf("said %q, then %q", said[0], said[1])
		}
	})
}
