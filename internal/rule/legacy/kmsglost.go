package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func kmsgLost() Rule {
	limits := &struct {
		Window time.Duration `json:"window" doc:"how long after a loss the finding stands" min:"10s" max:"10m"`
	}{5 * time.Minute}
	return Rule{
		ID:        "kmsg-lost",
		Title:     "kernel log records were lost",
		Component: Nodewatch,
		Severity:  "warning",
		Impact:    "operational: nodewatch saw less, nothing else",
		Needs:     []string{node.SourceKmsg},
		Limits:    limits,
		About: "The kernel overwrote records of its log before they could be read, as in a flood of libceph lines. " +
			"Counts of kernel events are too low by at most this many; every other rule still works. " +
			"The losses are exact: they are gaps in the records' sequence numbers.",
		Do: []string{
			"Read what journald kept of the same minutes: `journalctl -k --since -15min`.",
			"If it happens again and again, enlarge the kernel's ring at the next boot: `log_buf_len=4M` on the kernel command line.",
		},
		Check: func(in Input) []report.Finding {
			if in.Kernel.LostAt.IsZero() || in.Now.Sub(in.Kernel.LostAt) > limits.Window {
				return nil
			}
			return []report.Finding{{
				Severity: report.Warning,
				Impact:   report.Operational,
				Summary:  fmt.Sprintf("%d kernel log records were lost since nodewatch started, the latest at %s", in.Kernel.Lost, in.Kernel.LostAt.Format(time.TimeOnly)),
				Evidence: []report.Evidence{
					factAt(node.SourceKmsg, "", fmt.Sprintf("%d of %d records lost", in.Kernel.Lost, in.Kernel.Lost+in.Kernel.Records), in.Kernel.LostAt),
				},
				Advice: []report.Advice{
					{Do: "Read what journald kept of the same minutes", Command: "journalctl -k --since -15min"},
					{Do: "Enlarge the kernel's ring at the next boot: add log_buf_len=4M to the kernel command line"},
				},
			}}
		},
	}
}
