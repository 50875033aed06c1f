package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func sourceStalled() Rule {
	return Rule{
		ID:        "source-stalled",
		Title:     "nodewatch is blind in one eye",
		Component: Nodewatch,
		Severity:  "warning",
		Impact:    "operational: what cannot be seen makes its component unknown, not worse",
		Hold:      15 * time.Second,
		Keep:      10 * time.Second,
		About: "A source has not come back from a read, has failed, or may not read. What it would have shown is unknown: " +
			"findings that rest on it stay raised, and new ones cannot appear. A read that does not come back is itself a sign " +
			"that a kernel lock, libvirt or the storage below is stuck. Sources whose object is not on this machine are not counted.",
		Do: []string{
			"See all sources, why they are blind and how to give them sight: `nodewatch sources`, and the page.",
			"A source that is stalled waits inside the kernel or for a daemon: see what holds it with `cat /proc/PID/stack` of the waiting thread, as root. Do not restart nodewatch for it: it needs none.",
		},
		Check: func(in Input) []report.Finding {
			var found []report.Finding
			for _, src := range in.Sources {
				state, since := src.State(in.Started, in.Now)
				if state == "ok" || state == "starting" || state == string(node.Absent) || state == string(node.Held) {
					continue
				}
				found = append(found, stalled(in, src, state, since))
			}
			return found
		},
	}
}

func stalled(in Input, src node.Source, state string, since time.Time) report.Finding {
	f := report.Finding{
		Subject:  src.Name,
		Severity: report.Warning,
		Impact:   report.Operational,
		Since:    since,
		Summary:  fmt.Sprintf("source %s is %s since %s", src.Name, state, since.Format(time.DateTime)),
		Advice:   []report.Advice{{Do: "See all sources and how to give them sight", Command: "nodewatch sources"}},
	}
	if src.Err != nil {
		f.Evidence = append(f.Evidence, factAt(src.Name, "", src.Err.Text, since))
		if src.Err.Remedy != "" {
			f.Advice = append([]report.Advice{{Do: src.Err.Remedy}}, f.Advice...)
		}
	}
	if src.Last.IsZero() {
		f.Against = append(f.Against, factAt(src.Name, "", "it has never been read since the start: it may never have been set up", in.Started))
	} else {
		f.Evidence = append(f.Evidence, factAt(src.Name, "", "last read", src.Last))
	}
	return f
}
