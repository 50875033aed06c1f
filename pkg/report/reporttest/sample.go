package reporttest

import (
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Noon is the time at which the sample reports begin.
var Noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// At returns the report of node2 in site rl1 at the given time after Noon. Each of the
// words is NAME=VALUE. An impact is that of the component NAME, or of the whole node if
// NAME is node. A severity raises a finding of the component storage, and NAME is its
// RULE or RULE/SUBJECT. Components that are not operational have a summary that
// customers must not see.
func At(after time.Duration, words string) report.Report {
	r := report.Report{Site: "rl1", Node: "node2", Version: "1.2.0", At: Noon.Add(after), Status: report.Operational}
	for word := range strings.FieldsSeq(words) {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case report.Severity(value).Rank() > 0:
			rule, subject, _ := strings.Cut(name, "/")
			r.Findings = append(r.Findings, report.Finding{
				Rule: rule, Subject: subject, Component: "storage", Severity: report.Severity(value), Impact: report.MajorOutage,
				State: report.Seen, Since: Noon, Summary: "disk I/O hangs on " + subject,
			})
		case name == "node":
			r.Status = report.Impact(value)
		default:
			c := report.Component{Name: report.ComponentName(name), Status: report.Impact(value), State: report.Seen}
			if c.Status != report.Operational {
				c.Summary = "libceph: osd12 crc error on node2"
			}
			r.Components = append(r.Components, c)
		}
	}
	return r
}

// Outage returns the words of an outage from its start to its end, one step per
// minute, with each impact and one step that changes nothing.
func Outage() []string {
	return []string{
		"storage=operational", "storage=operational",
		"storage=degraded_performance node=degraded_performance", "storage=partial_outage node=partial_outage",
		"storage=major_outage node=major_outage", "storage=unknown node=unknown", "storage=under_maintenance node=under_maintenance",
		"storage=operational",
	}
}
