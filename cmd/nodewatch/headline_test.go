package main

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/rule/all"
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

// On-call reads one line about a storm at any time, even if one of its sources is lost
// during the storm: at most one finding about storage and network, of warning or above, is
// not explained by another, and its summary names the pattern.
func TestTheIncidentHasOneHeadline(t *testing.T) {
	for _, c := range []struct {
		name, headline string
		least          int
	}{
		{"rl1-node2", "layer2 bond + krbd", 4000},
		{"layer2-storm-then-no-disk-io", "layer2 bond + krbd", 400},
		{"full-nic-then-storm-on-layer3-4", "krbd retry storm", 400},
		{"parts-end-with-the-storm", "krbd retry storm", 300},
		{"storm-with-containers-only", "layer2 bond + krbd", 100},
		{"storm-seen-by-osdc-only", "layer2 bond + krbd", 100},
		{"ifreload-in-the-storm", "layer2 bond + krbd", 100},
		{"storm-each-osd-every-15s", "layer2 bond + krbd", 100},
		{"restart-in-mid-storm", "layer2 bond + krbd", 100},
		{"storm-on-active-backup", "", 100},
		{"two-clusters-storm-in-one", "", 100},
		{"write-side-loop", "", 100},
		{"crush-rule-without-osd", "CRUSH", 100},
		{"single-nic-loses-link", "", 100},
		{"corrupted-frames-without-libceph", "", 100},
		{"blocklisted-client-with-filesystems", "blocklisted", 100},
	} {
		t.Run(c.name, func(t *testing.T) { hasOneHeadline(t, c.name, c.headline, c.least) })
	}
}

func hasOneHeadline(t *testing.T, name, headline string, least int) {
	in, err := play(filepath.Join(incidents, name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	j, verdicts := judge.New(all.Default()), 0
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		v, judged := j.Take(e)
		if !judged {
			continue
		}
		verdicts++
		open := headlines(v.Report)
		if len(open) > 1 {
			t.Fatalf("at %s there are %d: %s, %s", v.Now, len(open), open[0].Rule, open[1].Rule)
		}
		if len(open) == 1 && v.Report.Status == report.MajorOutage && !strings.Contains(open[0].Summary, headline) {
			t.Fatalf("at %s the headline is %q", v.Now, open[0].Summary)
		}
	}
	if verdicts < least {
		t.Errorf("only %d verdicts", verdicts)
	}
}
