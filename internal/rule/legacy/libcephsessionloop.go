package legacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func libcephSessionLoop() Rule {
	limits := &struct {
		Losses int           `json:"losses" doc:"working sessions of one OSD lost within window that make a loop" min:"2" max:"1000"`
		Window time.Duration `json:"window" doc:"how far back lost sessions count" min:"10s" max:"60s"`
	}{5, time.Minute}
	return Rule{
		ID:        "libceph-session-loop",
		Title:     "Ceph sessions are closed and opened in a loop",
		Component: Storage,
		Severity:  "warning",
		Impact:    "degraded_performance: each lost session sends all requests of that OSD again. What stands still is krbd-stalled or krbd-retry-storm",
		Needs:     []string{node.SourceKmsg},
		Keep:      30 * time.Second, // the count goes up and down around the threshold
		Limits:    limits,           // no hold: the window is one
		About: "One OSD lost at least 5 working sessions with this node in 60 s, though it is not down and the cluster is not full. " +
			"A CRC failure on the way to an OSD is logged by the OSD, not here: the kernel only says \"socket closed (con state OPEN)\", again and again. So this is how the retry storm of writes looks. Broken reads, writes and message processing of a socket count as well. " +
			"An OSD that restarts closes its session once and says that it is down; rolling restarts therefore do not count. What is lost later than 10 s after that does: it is back. An idle session is closed once. " +
			"The loop may also come from the network: a firewall or load balancer that resets connections, or an MTU that does not fit.",
		Do: []string{
			"Read the log of the OSD that is named: \"bad crc in data\" there means that this node's buffers change while they are sent.",
			"Look for resets and an MTU that does not fit on the path to that OSD.",
			"Check the map options and the guests on krbd as for libceph-crc.",
		},
		Check: func(in Input) []report.Finding {
			t := tally{others: []kmsg.Class{kmsg.ClosedOpen, kmsg.SocketError}, window: limits.Window}
			looping := slices.DeleteFunc(t.count(in), func(f faults) bool { return f.others < uint64(limits.Losses) })
			n, last := uint64(0), time.Time{}
			for i := range looping {
				n, last = n+looping[i].others, later(last, looping[i].line.Last)
			}
			if len(looping) == 0 {
				return nil
			}
			f := report.Finding{
				Severity: report.Warning,
				Impact:   report.DegradedPerformance,
				Summary:  fmt.Sprintf("%s with %s lost in the last %s, the latest at %s: they are opened and lost in a loop", counted(n, "working session"), osdsText(looping), span(limits.Window), clock(last)),
				Evidence: faultEvidence(looping, t),
			}
			loopContext(in, looping, last, &f)
			return []report.Finding{f}
		},
	}
}

// loopContext adds how the loop spreads, and what to do.
func loopContext(in Input, looping []faults, last time.Time, f *report.Finding) {
	t := trial{}
	s := storm{osds: looping, last: last}
	t.tryOneOSD(in, s, s.begun(in))
	t.tryWire(in, storageLegs(in))
	f.Evidence, f.Against = append(f.Evidence, t.evidence...), append(f.Against, t.against...)
	osd := looping[0]
	f.Advice = append(f.Advice, report.Advice{
		Do:      fmt.Sprintf("Read the log of %s on its host for \"bad crc in data\", and see whether other nodes lose sessions with it", osd.osd),
		Command: paste("ceph osd find %s", osd.id()),
	})
	if host := hostOf(osd.line.Addr); host != "" {
		f.Advice = append(f.Advice, report.Advice{
			Do:      fmt.Sprintf("See whether the path to %s takes full frames; 8972 is for an MTU of 9000, 1472 for 1500", osd.osd),
			Command: paste("ping -M do -c 3 -s 8972 %s", host),
		})
	}
}
