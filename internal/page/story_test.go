package page

import (
	"fmt"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A story describes the expected report about a node.
type story struct {
	findings    []report.Finding
	transitions []report.Transition
	status      map[report.ComponentName]report.Impact // of components that are not operational
	incident    *report.Incident
}

func (s story) report(n node.Snapshot) report.Report {
	r := report.Report{Node: n.Node, At: n.Now, Version: n.Version, Started: start, Status: report.Operational, Findings: s.findings,
		Transitions: s.transitions, Incident: s.incident}
	for _, name := range report.ComponentNames() {
		c := report.Component{Name: name, Status: report.Operational, Since: start, State: report.Seen}
		if i, found := s.status[name]; found {
			c.Status, c.Since = i, n.Now.Add(-31*time.Second)
			for _, f := range s.findings {
				if f.Component == name && c.Summary == "" {
					c.Summary = f.Summary
				}
			}
			if i == report.Unknown {
				c.State = report.Blind
				c.Summary = "cannot be seen: kmsg: permission denied"
			}
		}
		r.Components = append(r.Components, c)
		r.Status = report.Worse(r.Status, c.Status)
	}
	for _, src := range n.Sources {
		state, since := src.State(n.Started, n.Now)
		st := report.SourceState{Name: src.Name, State: state, Last: src.Last, Since: since, Failures: src.Failures}
		if src.Err != nil {
			st.Error, st.Remedy = src.Err.Text, src.Err.Remedy
		}
		r.Sources = append(r.Sources, st)
	}
	return r
}

// quiet returns the story of a node without problems.
func quiet() story { return story{} }

// risk returns the story of the incident's node before its storm.
func risk(now time.Time) story {
	f := pattern(now, report.Warning, report.Operational,
		"layer2 bond + krbd: bond0 (802.3ad, 2x10G) hashes with layer2 and carries Ceph traffic; 78 krbd disks of 65 VMs share one kernel client. One NIC can fill and stall all of them")
	return story{
		findings: []report.Finding{f, {
			Rule: "krbd-shared-fate", Component: "storage", Severity: report.Info, Impact: report.Operational, State: report.Seen,
			Since: start, LevelSince: start, LastSeen: now,
			Summary:  "65 VMs behind one kernel client: what stalls it stalls all of them",
			Runbook:  "https://example.net/rules#krbd-shared-fate",
			Evidence: []report.Evidence{{Source: "krbd", Fact: "78 devices are mapped by client4567", At: now}},
		}},
		transitions: []report.Transition{
			{N: 1, At: start, Rule: "layer2-bond-krbd", Subject: "bond0", Component: "network", From: "clear", To: "warning",
				Impact: report.Operational, State: report.Seen, Summary: f.Summary},
		},
	}
}

// outage returns the story of the storm.
func outage(now time.Time) story {
	storm := report.Finding{
		Rule: "krbd-retry-storm", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
		Since: now.Add(-31 * time.Second), LevelSince: now.Add(-31 * time.Second), LastSeen: now,
		Summary: "krbd is in a retry storm: sessions to 182 OSDs keep resetting, and 39 of 78 krbd disks complete nothing",
		Evidence: []report.Evidence{
			{Source: "kmsg", Subject: "osd0", Fact: "186 CRC faults in 10 s", At: now.Add(-2 * time.Second)},
			{Source: "krbd-io", Fact: "39 devices with requests in flight and none completed for 40 s", At: now},
			{Source: "osdc", Subject: "client4567", Fact: "one read has been sent 576 times", At: now},
		},
		Against: []report.Evidence{{Source: "nic", Subject: "eth0", Fact: "rx_crc_errors does not rise: it is not the wire", At: now}},
		Advice: []report.Advice{
			{Do: "Throttle what krbd receives to break the loop; guests slow down, and recover",
				Command: "tc qdisc add dev eth0 ingress && tc filter add dev eth0 parent ffff: protocol ip u32 match ip src 198.51.100.0/24 police rate 2gbit burst 1m drop"},
			{Do: "Then let the bond spread over ports; the link flaps for a moment",
				Command: "ip link set dev bond0 type bond xmit_hash_policy layer3+4"},
			{Do: "Move guests away, those with the fullest disks first"},
		},
		Runbook: "https://example.net/rules#krbd-retry-storm",
	}
	storm.Guests = hit()
	stalled := report.Finding{
		Rule: "krbd-stalled", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
		Since: now.Add(-21 * time.Second), LevelSince: now.Add(-21 * time.Second), LastSeen: now,
		Summary: "39 of 78 krbd disks stalled, longest 40 s", Guests: hit(), ExplainedBy: []report.Ref{{Rule: "krbd-retry-storm"}},
		Runbook: "https://example.net/rules#krbd-stalled",
	}
	pattern := pattern(now, report.Critical, report.MajorOutage,
		"layer2 bond + krbd: eth0 of bond0 is full, and 78 krbd disks of 65 VMs hang on it")
	lost := report.Finding{
		Rule: "kmsg-lost", Component: "nodewatch", Severity: report.Warning, Impact: report.Operational, State: report.Blind,
		Since: now.Add(-9 * time.Second), LevelSince: now.Add(-9 * time.Second), LastSeen: now.Add(-4 * time.Second),
		Summary: "1,234 kernel log records were lost", Runbook: "https://example.net/rules#kmsg-lost",
	}
	s := story{
		findings: []report.Finding{storm, pattern, lost},
		status: map[report.ComponentName]report.Impact{"storage": report.MajorOutage, "network": report.MajorOutage,
			"guests": report.PartialOutage},
	}
	before := risk(start)
	s.transitions = append(s.transitions, before.transitions...)
	s.findings = append(s.findings, before.findings[1], stalled)
	s.incident = &report.Incident{Begin: storm.Since, Peak: report.MajorOutage, Severity: report.Critical, Guests: hit(),
		Headline: storm.Summary, Finding: report.Ref{Rule: storm.Rule}, Cause: "one saturated NIC"}
	for i, f := range []report.Finding{pattern, storm, lost} {
		from, impact := report.Clear, report.Impact("")
		if i == 0 {
			from, impact = report.Warning, report.Operational
		}
		s.transitions = append(s.transitions, report.Transition{N: uint64(2 + i), At: now.Add(time.Duration(i-31) * time.Second),
			Rule: f.Rule, Subject: f.Subject,
			Component: f.Component, From: from, To: f.Severity, Impact: f.Impact, ImpactFrom: impact, State: f.State, Summary: f.Summary})
	}
	return s
}

// hit returns the guests affected by the storm.
func hit() *report.Guests {
	return &report.Guests{Hit: 33, Total: 65, Names: []string{"vm100", "vm102", "vm104"}}
}

// over returns the story of the node after the storm.
func over(now time.Time) story {
	s := risk(now)
	in := *outage(now).incident
	in.End = now.Add(-10 * time.Minute)
	in.Begin = in.End.Add(-10*time.Minute - 49*time.Second)
	s.incident = &in
	s.findings = append(s.findings, report.Finding{
		Rule: "incident-over", Component: "nodewatch", Severity: report.Info, Impact: report.Operational, State: report.Seen, Since: in.End,
		LevelSince: in.End, LastSeen: now, Summary: "Storm ended",
		Evidence: []report.Evidence{{Fact: "it was: " + in.Headline, At: in.Begin},
			{Source: "bond", Subject: "bond0", Fact: "to do: bond0 still hashes with layer2", At: now}},
		Against: []report.Evidence{{Source: "kmsg", Fact: "done: no session to an OSD was lost in the last 10 min", At: now}},
		Advice:  []report.Advice{{Do: "Acknowledge the incident when everything is done", Command: "nodewatch ack incident"}},
	})
	return s
}

func pattern(now time.Time, severity report.Severity, impact report.Impact, summary string) report.Finding {
	return report.Finding{
		Rule: "layer2-bond-krbd", Subject: "bond0", Component: "network", Severity: severity, Impact: impact, State: report.Seen,
		Since: start, LevelSince: start, LastSeen: now, Summary: summary,
		Evidence: []report.Evidence{
			{Source: "bond", Subject: "bond0", Fact: "802.3ad, 2 slaves of 10 Gbit/s, xmit_hash_policy layer2", At: start},
			{Source: "krbd", Subject: "bond0", Fact: "78 krbd devices of client4567 go through 192.0.2.2 on bond0.100", At: now},
		},
		Advice: []report.Advice{{Do: "Let the bond spread over ports, in a quiet hour; the link flaps for a moment",
			Command: "ip link set dev bond0 type bond xmit_hash_policy layer3+4"}},
		Runbook: "https://example.net/rules#layer2-bond-krbd",
	}
}

// healthyView and the functions below return the views that the tests use.
func healthyView() judge.View { return charted(nodetest.Healthy().Play(), quiet()) }
func riskView() judge.View {
	n := nodetest.AtRisk().Play()
	return charted(n, risk(n.At))
}
func stormView() judge.View {
	n := nodetest.InStorm().Play()
	return charted(n, outage(n.At))
}

func overView() judge.View {
	n := nodetest.AtRisk().Play()
	return charted(n, over(n.At))
}

// blindView is a View of a node on which nodewatch may read almost nothing.
func blindView() judge.View {
	h := nodetest.AtRisk()
	n := h.Begin()
	n.See(node.SawLinks{Reading: nodetest.Reading(n.At, 30*time.Second, h.Links())})
	n.At = start.Add(70 * time.Second)
	n.See(node.SawCounters{Reading: nodetest.Reading(n.At, time.Second, h.Counters(1))})
	n.See(node.SawKernel{Reading: nodetest.Failed[kmsg.Batch](n.At, node.Denied, "open /dev/kmsg: operation not permitted",
		"give nodewatch CAP_SYSLOG, as systemd/nodewatch.service does, or run it as root")})
	n.See(node.SawMapped{Reading: nodetest.Failed[[]rbd.Mapped](n.At, node.Stalled, "a read has not returned for 65 s", "")})
	n.See(node.SawLibvirt{Reading: nodetest.Failed[rbd.Guests](n.At, node.Denied,
		"dial unix /run/libvirt/libvirt-sock-ro: permission denied", "allow nodewatch's user to connect to libvirt's read-only socket")})
	n.See(node.SawOVS{Reading: nodetest.Failed[[]bond.Bond](n.At, node.Absent, "no Open vSwitch on this machine", "")})
	return view(n, story{status: map[report.ComponentName]report.Impact{"storage": report.Unknown, "guests": report.Unknown,
		"cluster": report.Unknown}, findings: []report.Finding{{
		Rule: "source-stalled", Subject: "krbd", Component: "nodewatch", Severity: report.Warning, Impact: report.Operational,
		State: report.Seen, Since: start, LevelSince: start, LastSeen: n.At,
		Summary: "source krbd is stalled since 02:13:00", Advice: []report.Advice{{Do: "See all sources and how to give them sight",
			Command: "nodewatch sources"}},
	}}})
}

// largeView is a View of ten times the incident, with a finding for each guest. It is
// built once because that is slow, so tests must not modify it.
var largeView = sync.OnceValue(func() judge.View {
	n := nodetest.TenTimes().Play()
	s := outage(n.At)
	for i := range 650 {
		f := s.findings[2]
		f.Rule, f.Subject, f.Summary = "vm-paused", fmt.Sprintf("vm%d", 100+i), fmt.Sprintf("vm%d is paused by an I/O error", 100+i)
		s.findings = append(s.findings, f)
	}
	for i := range 200 {
		s.transitions = append(s.transitions, report.Transition{N: uint64(9 + i), At: n.At, Rule: "vm-paused",
			Subject: fmt.Sprintf("vm%d", 100+i), Component: "guests", From: "clear", To: "critical", Impact: report.MajorOutage,
			State: report.Seen, Summary: "paused by an I/O error"})
	}
	return view(n, s)
})
