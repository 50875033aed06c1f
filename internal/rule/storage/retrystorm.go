package storage

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdRetryStorm(limits *stormLimits) rule.Rule {
	return rule.Rule{
		ID:        "krbd-retry-storm",
		Title:     "krbd sessions keep resetting while I/O is stalled",
		Component: report.ComponentStorage,
		Severity:  "critical",
		Impact:    "by the guests whose disks are stalled: major_outage if at least half of them; if fewer, degraded_performance and, after 15 s, partial_outage",
		Needs:     []string{node.SourceKmsg, node.SourceIO},
		// some I/O completes during a loop, and the finding must clear within a minute of the end
		KeepFiringFor: rule.Always(30 * time.Second),
		Explains: []string{"krbd-stalled", "krbd-slow", "krbd-resend", "libceph-crc", "libceph-session-loop", "ceph-unreachable",
			"ceph-refused", "host-io-pressure",
			"krbd-nic-saturated", "nic-saturated", "nic-drops", "nic-errors", "bond-imbalance", "bond-spread", "bond-hash-layer2",
			"krbd-no-rxbounce"},
		Limits: limits,
		About: "libceph does not back off after a session that was open: when a reply fails its checksum, or the OSD closes the session because a write failed its checksum there, the kernel reconnects at once and resends every in-flight request to that OSD, without limit, for all disks of the client. " +
			"Triggered by a session loop together with stalled krbd I/O. A loop is: 2 sessions to one OSD lost within 10 s because received data failed verification (checksum, authentication tag, sparse read); or 6 within a minute over all OSDs, with at least 2 each; or 5 within a minute to one OSD for any other reason, in 5 different seconds and twice for each kernel client. Losses up to 10 s after an OSD went down, or while the cluster is full, do not count. " +
			"Neither do socket errors that back off (at most 11 within a minute for each kernel client, then 6): they are attempts to connect to an OSD that is gone. More of them, or a request in osdc that is resent 3 times, prove that sessions are established. " +
			"Stalled means: a device completes nothing for 3 s while requests are in flight, or so few that each request takes 5 s, or osdc shows a request that is resent repeatedly. If osdc shows which OSD the stalled requests are waiting for, that OSD must be among those that lose sessions. " +
			"No bond or hash policy is required. The finding lasts until the stalled I/O completes. libvirt, QEMU, Ceph's health, LACP and MII show no error during this failure: krbd never returns an error. " +
			"The finding weighs the evidence for and against each possible cause (docs/diagnosis.md) and names the likeliest, or two if none clearly leads.",
		Do: []string{
			"Fix the cause that the finding names: spread the bond on the switch and here (saturation), map with rxbounce (unstable buffers), boot a fixed kernel (sparse read), repair the OSD or its path, or the cable.",
			"Do not limit what this host sends while a NIC is saturated on receive: it has no effect.",
			"Move VMs to librbd, where each has its own connections; containers cannot use it.",
			"Do not map with nocrc, and do not set a short osd_request_timeout.",
		},
		Check: func(in rule.Input) []rule.Result {
			was, raised := rule.StateOf[stormState](in, "")
			s, seen := limits.find(in.Facts, limits.evaluate(in.Facts), was, raised)
			if !seen {
				return nil
			}
			a := s.analysis(in.Facts)
			evidence, against := causeEvidence(a)
			r := rule.Result{
				Severity: report.Critical,
				Hits:     s.hits(),
				Ended:    ended(s.stalls),
				RestsOn:  s.restsOn(),
				Since:    s.first,
				State:    s.state,
				Cause:    a.Concluded(),
				Explains: stormSubjects(in, s),
				Summary:  s.summary("krbd retry storm:", s.stallText(in.Facts, len(in.Mapped.Value)), a),
				Evidence: append(append(lossEvidence(s.losses, s.looping), stallEvidence(in, s.stalls)...), evidence...),
				Against:  against,
				Advice:   loopAdvice(in, s, a, stormBonds(in, s)),
			}
			if !s.live && s.state.lossText != "" {
				r.Evidence = append(r.Evidence, rule.FactAt(node.SourceKmsg, "", "lost sessions: "+s.state.lossText, s.state.last))
			}
			if bonds := layer2Bonds(in); len(bonds) > 0 {
				r.Evidence = append(r.Evidence, in.Fact(node.SourceBond, "",
					"layer2 bond + krbd: "+human.Names(bonds, 3)+" hashes by MAC address"))
			}
			r.Evidence = append(r.Evidence, loadEvidence(in)...)
			return []rule.Result{r}
		},
	}
}

// stormSubjects returns the subjects that a storm explains: the node, its clusters,
// and the bonds and NICs that carry the traffic of the stalled disks or, if that is
// unknown, all of them.
func stormSubjects(in rule.Input, s storm) []string {
	list := []string{""}
	for _, c := range in.Clients() {
		list = append(list, c.FSID)
	}
	for _, name := range carriers(in) {
		if len(s.on(devicesBehind(in, name)).stalls) == 0 {
			continue
		}
		list = append(list, name)
		for _, n := range in.NICsOf(name) {
			list = append(list, n.Name)
		}
	}
	if _, known := in.StorageNICs(); !known {
		return nil
	}
	return list
}

// stormBonds returns the bonds that do not spread storage traffic and carry that of
// the stalled disks or, if that is unknown, all that may.
func stormBonds(in rule.Input, s storm) []string {
	var list []string
	_, known := in.StorageNICs()
	for _, name := range layer2Bonds(in) {
		if !known || len(s.on(devicesBehind(in, name)).stalls) > 0 {
			list = append(list, name)
		}
	}
	return list
}
