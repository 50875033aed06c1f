package page

import (
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestAFactsSubjectIsSaidOnce(t *testing.T) {
	for fact, want := range map[string]string{
		"osd1 at 192.0.2.33:6801: 6 CRC faults": "at 192.0.2.33:6801: 6 CRC faults",
		"osd10 at 192.0.2.33:6801":              "osd10 at 192.0.2.33:6801",
		"6 CRC faults of osd1":                  "6 CRC faults of osd1",
	} {
		if got := said(report.Evidence{Subject: "osd1", Fact: fact}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := said(report.Evidence{Fact: " of nothing"}); got != " of nothing" {
		t.Errorf("without a subject: got %q", got)
	}
}
