package storage

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdMapFailed() rule.Rule {
	limits := &struct {
		Fresh time.Duration `json:"fresh" doc:"how long the finding stays after its latest kernel line" min:"1m" max:"24h"`
	}{15 * time.Minute}
	return rule.Rule{
		ID:        "krbd-map-failed",
		Title:     "an image cannot be mapped or locked",
		Component: report.ComponentStorage,
		Severity:  "warning",
		Impact:    "operational: a guest that needs the image does not start; other guests are not affected",
		Needs:     []string{node.SourceKmsg},
		Limits:    limits, // no For: a log line needs no confirmation, and counts for a while
		About: "krbd could not map an image (unsupported features, no such image or snapshot), or could not take its exclusive lock: another client holds it and does not release it, or cannot be blocklisted because the key lacks the capability (-13). Taking over a lock in a live migration (\"breaking header lock\" alone) is normal and does not count. " +
			"The finding stays for 15 minutes after the latest line.",
		Do: []string{"Give the client's key the profile rbd, which allows blocklisting: `ceph --connect-timeout 10 auth caps`.",
			"Find out who holds the lock: `rbd lock ls`, `rbd status`.", "Disable image features that this kernel does not support."},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, lines := range in.LinesBy(limits.Fresh, mapFailure, kmsg.RBDLock, kmsg.RBDMapFail) {
				device := lines.Subject
				name, says := device, strings.TrimPrefix(lines.Latest.Text, "rbd: ")
				if device == "" {
					name = "An image"
				}
				list = append(list, rule.Result{
					Subject: device, Severity: report.Warning,
					Summary: rule.Summary(fmt.Sprintf("%s cannot be mapped or locked: %s", name, says), says),
					Evidence: []report.Evidence{rule.FactAt(node.SourceKmsg, device,
						fmt.Sprintf("%s, latest: %s", human.Count(lines.N, "line"), lines.Latest.Text), lines.Latest.Last)},
					Advice: []report.Advice{mapAdvice(lines.Latest)},
				})
			}
			return list
		},
	}
}

// mapAdvice returns what to do about an image that cannot be mapped or locked, by the
// latest line.
func mapAdvice(s *node.Series) report.Advice {
	switch {
	case s.Class == kmsg.RBDLock:
		return report.Advice{Do: "Check who holds the image's lock, and whether this client's caps allow blocklisting (profile rbd)",
			Command: "ceph --connect-timeout 10 auth ls; ceph --connect-timeout 10 osd blocklist ls"}
	case s.Detail == "features":
		return report.Advice{Do: "Disable the image features that this kernel does not support (rbd feature disable), or boot a kernel that supports them", Command: "cat /sys/bus/rbd/supported_features"}
	}
	return report.Advice{Do: "Check the names of pool, image and snapshot in the guest's or the storage's configuration",
		Command: "journalctl -k --since -30min --grep 'rbd: '"}
}

// mapFailure returns the device that a line is about, and whether the line reports
// that an image could not be mapped or locked, and not only that a lock is acquired or
// released.
func mapFailure(s *node.Series) (string, bool) {
	failed := s.Class == kmsg.RBDMapFail
	switch s.Detail {
	case "blocklist", "acquire", "lock", "break", "external", "owners", "lockers":
		failed = failed || s.Errno != 0 || s.Detail == "external"
	}
	return s.Device, failed && s.Total > 0
}
