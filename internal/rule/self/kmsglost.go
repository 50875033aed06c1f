package self

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type lostLimits struct {
	Window time.Duration `json:"window" doc:"how long a loss is reported" min:"10s" max:"10m"`
}

func kmsgLost() rule.Rule {
	l := &lostLimits{5 * time.Minute}
	return rule.Rule{
		ID:        "kmsg-lost",
		Title:     "kernel log records were lost",
		Component: report.ComponentNodewatch,
		Severity:  "warning",
		Impact:    "operational: only nodewatch's view is affected",
		Needs:     []string{node.SourceKmsg},
		Limits:    l,
		About: "The kernel overwrote records of its log before they could be read, for example during a flood of libceph lines. " +
			"Counts of kernel events may be too low by at most this number; all other rules still work. " +
			"The number is exact: it is computed from gaps in the records' sequence numbers.",
		Do: []string{
			"Read journald's copy of the same period: `journalctl -k --since -15min`.",
			"If it repeats, enlarge the kernel's log buffer at the next boot: `log_buf_len=4M` on the kernel command line.",
		},
		Check: func(in rule.Input) []rule.Result {
			k := &in.Kernel
			if k.LostAt.IsZero() || in.Now.Sub(k.LostAt) > l.Window {
				return nil
			}
			return []rule.Result{{
				Severity: report.Warning,
				Summary: fmt.Sprintf("%s lost since nodewatch started, the latest at %s", human.Count(k.Lost, "kernel log record"),
					human.Clock(k.LostAt)),
				Evidence: []report.Evidence{rule.FactAt(node.SourceKmsg, "",
					fmt.Sprintf("%s of %s lost", human.Number(k.Lost), human.Count(k.Lost+k.Records, "record")), k.LostAt)},
				Advice: []report.Advice{
					{Do: "Read journald's copy of the same period", Command: "journalctl -k --since -15min"},
					{Do: "Enlarge the kernel's log buffer at the next boot: add log_buf_len=4M to the kernel command line"},
				},
			}}
		},
	}
}
