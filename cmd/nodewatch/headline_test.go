package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// headlines returns the findings about storage and network, of warning or above, that no
// other finding explains.
func headlines(r report.Report) []report.Finding {
	var open []report.Finding
	for _, f := range r.Findings {
		if f.Severity != report.Info && (f.Component == "storage" || f.Component == "network") && len(f.ExplainedBy) == 0 {
			open = append(open, f)
		}
	}
	return open
}

// The incidents of which on-call reads one line at any time, even if one of their sources
// is lost, by file: what the summary of the headline names during a major outage, and the
// minimum number of verdicts.
var oneHeadline = map[string]struct {
	names string
	least int
}{
	"rl1-node2":                           {"layer2 bond + krbd", 4000},
	"layer2-storm-then-no-disk-io":        {"layer2 bond + krbd", 400},
	"full-nic-then-storm-on-layer3-4":     {"krbd retry storm", 400},
	"parts-end-with-the-storm":            {"krbd retry storm", 300},
	"storm-with-containers-only":          {"layer2 bond + krbd", 100},
	"storm-seen-by-osdc-only":             {"layer2 bond + krbd", 100},
	"ifreload-in-the-storm":               {"layer2 bond + krbd", 100},
	"storm-each-osd-every-15s":            {"layer2 bond + krbd", 100},
	"restart-in-mid-storm":                {"layer2 bond + krbd", 100},
	"storm-on-active-backup":              {"", 100},
	"two-clusters-storm-in-one":           {"", 100},
	"write-side-loop":                     {"", 100},
	"crush-rule-without-osd":              {"CRUSH", 100},
	"single-nic-loses-link":               {"", 100},
	"corrupted-frames-without-libceph":    {"", 100},
	"blocklisted-client-with-filesystems": {"blocklisted", 100},
}

// A headlinePrinter checks that an incident has at most one headline at any time.
type headlinePrinter struct {
	*expectPrinter
	names    string // what the headline's summary names during a major outage
	verdicts int
	wrong    string // the first that was wrong
}

func (p *headlinePrinter) print(v judge.View, offset time.Duration) error {
	p.verdicts++
	open := headlines(v.Report)
	switch {
	case p.wrong != "":
	case len(open) > 1:
		p.wrong = fmt.Sprintf("at %s there are %d headlines: %s, %s", offset, len(open), open[0].Rule, open[1].Rule)
	case len(open) == 1 && v.Report.Status == report.MajorOutage && !strings.Contains(open[0].Summary, p.names):
		p.wrong = fmt.Sprintf("at %s the headline is %q", offset, open[0].Summary)
	}
	return p.expectPrinter.print(v, offset)
}
