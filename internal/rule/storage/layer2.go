package storage

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func layer2BondKrbd(storms *stormLimits, limits *congestionLimits) rule.Rule {
	return rule.Rule{
		ID:            "layer2-bond-krbd",
		Title:         "a bond that hashes by MAC address carries krbd's traffic",
		Component:     report.ComponentStorage,
		Severity:      "warning, critical",
		Impact:        "operational as a risk; degraded_performance, or by the guests whose disks are stalled, while a storm is imminent and during the storm",
		Needs:         []string{node.SourceBond, node.SourceKrbd},
		KeepFiringFor: rule.Timing{Critical: time.Minute}, // the load varies, and the stage must not change with it
		Explains: []string{"krbd-retry-storm", "krbd-nic-saturated", "krbd-stalled", "krbd-slow", "krbd-resend", "libceph-crc",
			"libceph-session-loop",
			"nic-saturated", "nic-drops", "bond-imbalance", "bond-hash-layer2", "krbd-no-rxbounce"},
		Limits: limits,
		About: "The pattern of the RL1 Node 2 outage, in three stages. Risk (warning): a bond of several slaves that carries krbd's traffic chooses the slave by MAC address, or by MAC address and VLAN, so that all traffic to one server, or through one router, shares one NIC; and all krbd disks share one kernel client, so that a stall of that NIC stalls all of them. " +
			"Storm imminent (critical, degraded performance): one slave is at 90 % or more of its line rate in one direction for 5 s, and krbd is affected: a quarter of the bond's disks have at least 10 times their baseline latency and at least 50 ms, or more than 500 ms; or the NIC keeps dropping frames (buffers exhausted); or sessions are lost. Saturation alone, e.g. by a backup or a migration, does not count; nic-saturated reports it. " +
			"Storm (critical): krbd-retry-storm's condition for disks behind this bond, with its thresholds, where a slave is saturated or dropping, or most of the stalled disks are behind it. " +
			"A policy counts as layer2-like if it does not distribute this host's storage traffic: layer2, vlan+srcmac, Open vSwitch's balance-slb. In active-backup, broadcast, balance-rr, balance-alb and balance-tlb with dynamic load balancing the policy has no effect. " +
			"The policy distributes only what this host sends. The switch distributes what it receives, and a storage client mostly receives: change both. Better still, move the VMs to librbd.",
		Do: []string{
			"On the switch, hash the LAG by layer 3+4 (IP addresses and ports); set the bond's policy to layer3+4, now and in the network configuration.",
			"Move the VMs to librbd; map the disks of Windows guests that stay with rxbounce.",
			"While a storm is imminent: find what saturates the slave and stop it.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			candidate := storms.evaluate(in.Facts)
			for _, b := range in.Bonds() {
				like, reason := b.Layer2Like()
				if _, carries := in.CarriesStorage(b.Name); like && carries && b.MultiSlave() && len(in.Mapped.Value) > 0 {
					list = append(list, layer2Stage(in, limits, storms, candidate, behind(in, b, reason)))
				}
			}
			return list
		},
	}
}

// A layer2State is the stored state of a bond's finding.
type layer2State struct {
	storm  stormState
	stormy bool
}

// layer2Stage returns the current stage of a bond.
func layer2Stage(in rule.Input, l *congestionLimits, storms *stormLimits, candidate candidateStorm, p affected) rule.Result {
	was, _ := rule.StateOf[layer2State](in, p.bond.Name)
	r := p.risk(in)
	if s, stormy := storms.find(in.Facts, candidate, was.storm, was.stormy); stormy {
		here := s.on(p.behind)
		if len(here.stalls) > 0 && (was.stormy || l.congested(in, p.bond.Name) || 2*len(here.stalls) >= len(s.stalls)) {
			return p.storm(in, r, here)
		}
	}
	if f := l.saturated(in, in.NICsOf(p.bond.Name), p.behind); len(f.signs) > 0 {
		return p.imminent(in, r, f)
	}
	return r
}

// An affected is one bond that carries krbd's traffic and does not spread it.
type affected struct {
	bond    bond.Bond
	policy  string
	clients int
	devices []rbd.Mapped
	names   []string
	behind  map[string]bool // by name
	guests  facts.GuestSet
}

func behind(in rule.Input, b bond.Bond, reason string) affected {
	p := affected{bond: b, policy: reason, behind: devicesBehind(in, b.Name)}
	for _, c := range in.Clients() {
		if len(c.Devices) > 0 && p.behind[c.Devices[0]] { // all traffic of a client takes the same path
			p.clients++
			p.names = append(p.names, c.Devices...)
		}
	}
	p.devices = in.Mapped.Value
	if len(p.names) != len(p.devices) {
		p.devices = slices.DeleteFunc(slices.Clone(in.Mapped.Value), func(m rbd.Mapped) bool { return !p.behind[m.Device] })
	}
	p.guests = in.GuestsOn(p.names)
	return p
}

// devicesBehind returns the krbd devices whose traffic a bond or NIC carries.
func devicesBehind(in rule.Input, carrier string) map[string]bool {
	clients := map[uint64]bool{}
	for _, path := range in.Storage {
		if slices.Contains(path.Carriers, carrier) {
			for _, c := range path.Clients {
				clients[c] = true
			}
		}
	}
	devices := make(map[string]bool, len(in.Mapped.Value))
	for i := range in.Mapped.Value {
		if m := &in.Mapped.Value[i]; clients[m.ClientID] {
			devices[m.Device] = true
		}
	}
	return devices
}

// name describes the bond: "bond0 (802.3ad, 2x10G)".
func (p affected) name() string {
	return fmt.Sprintf("%s (%s, %s)", p.bond.Name, p.bond.Mode, facts.SlaveText(p.bond))
}

// hash names the policy by which the bond selects a slave, as in its configuration.
func (p affected) hash() string {
	if p.bond.HashPolicy == "" {
		return string(p.bond.Mode)
	}
	return string(p.bond.HashPolicy)
}

// shared describes the shared client: "78 krbd disks of 65 VMs share one kernel
// client".
func (p affected) shared() string {
	disks := human.Count(len(p.devices), "krbd disk")
	if len(p.guests.Names) > 0 {
		disks += " of " + p.guests.Count()
	}
	switch {
	case len(p.devices) == 1:
		return disks + " depends on it"
	case p.clients == 1:
		return disks + " share one kernel client"
	}
	return fmt.Sprintf("%s share %d kernel clients", disks, p.clients)
}

// risk returns the finding of the first stage: the permanent risk.
func (p affected) risk(in rule.Input) rule.Result {
	r := rule.Result{
		Subject:  p.bond.Name,
		Severity: report.Warning,
		Setting:  true,
		Blind:    in.Blind(facts.BondSource(p.bond)) != nil,
		RestsOn:  []string{facts.BondSource(p.bond), node.SourceKrbd},
		Explains: p.explains(in),
		Summary:  fmt.Sprintf("layer2 bond + krbd: %s hashes with %s and carries Ceph traffic; %s. If one NIC saturates, all of them stall.", p.name(), p.hash(), p.shared()),
		Evidence: []report.Evidence{in.Fact(facts.BondSource(p.bond), p.bond.Name, p.policy)},
		Advice:   []report.Advice{rule.SpreadSent(p.bond), rule.SpreadReceived(p.bond)},
	}
	for _, path := range in.Storage {
		if slices.Contains(path.Carriers, p.bond.Name) {
			r.Evidence = append(r.Evidence, in.Fact(node.SourceKrbd, path.Link,
				fmt.Sprintf("krbd's address %s is on %s, which leaves through %s: %s", path.IP, path.Link, p.bond.Name,
					human.Count(path.Devices, "krbd disk"))))
		}
	}
	if len(p.guests.Names) > 0 {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceKrbd, "", p.guests.List(3)))
	}
	e := in.Exposure()
	if len(p.devices) != len(in.Mapped.Value) {
		e = in.ExposureOf(p.devices)
	}
	r.Evidence = append(r.Evidence, riskEvidence(in, e)...)
	p.shares(in, &r)
	r.Advice = append(r.Advice, bounceAdvice(in, e)...)
	r.Advice = append(r.Advice, librbdAdvice(in, p.names)...)
	return r
}

// explains returns the subjects that this bond's finding can explain: the node's
// storage, the bond, its slaves.
func (p affected) explains(in rule.Input) []string {
	list := []string{"", p.bond.Name}
	for _, s := range p.bond.Slaves {
		list = append(list, s.Name)
	}
	return list
}

// riskEvidence describes what, besides the bond, makes a storm more likely or worse.
func riskEvidence(in rule.Input, e facts.Exposure) []report.Evidence {
	var list []report.Evidence
	if len(e.Windows) > 0 {
		list = append(list, in.Fact(node.SourceKrbd, "rxbounce", windowsText(e)))
	}
	if e.Untimed > 0 {
		list = append(list, in.Fact(node.SourceKrbd, "osd_request_timeout",
			human.Count(e.Untimed, "krbd disk")+" without a request timeout: unanswered requests never time out"))
	}
	if len(e.Unread) > 0 {
		list = append(list, in.Fact(node.SourceKrbd, "map options", "unknown for "+human.Count(len(e.Unread), "krbd disk")+
			": the map options could not be read"))
	}
	if r, err := in.Host.Value.Upstream(); err == nil && !in.Host.At.IsZero() {
		if sure := sparseReadBug.affects(r); sure != unaffected {
			list = append(list, in.Fact(node.SourceHost, "kernel", fmt.Sprintf("kernel %s (%s) %s %s", in.Host.Value.Release, r, sure,
				sparseReadBug.id)))
		}
	}
	return append(list, history(in)...)
}

// shares adds how the traffic is distributed over the slaves, measured over a minute,
// rx and tx separately. Even or little traffic is limited evidence against the risk.
func (p affected) shares(in rule.Input, r *rule.Result) {
	nics := in.NICsOf(p.bond.Name)
	if len(nics) < 2 || in.Blind(node.SourceNIC) != nil || len(nics[0].Tens) == 0 {
		return
	}
	busiest, text := 0.0, ""
	for i, n := range nics {
		m := node.Mean(n.Seconds)
		for _, t := range n.Tens {
			rx, tx := t.Share()
			busiest = max(busiest, rx, tx)
		}
		if i < 8 {
			text += fmt.Sprintf(", %s rx %s tx %s", n.Name, human.BitRate(m.Rx), human.BitRate(m.Tx))
		}
	}
	fact := in.Fact(node.SourceNIC, p.bond.Name, "over the last minute"+text)
	if s := in.Spread(p.bond); s.Measured && s.Rx.Even(len(nics)) && s.Tx.Even(len(nics)) {
		fact.Fact += ": the slaves share it evenly now, which can be a coincidence of the peers' MAC addresses"
		r.Against = append(r.Against, fact)
	} else {
		r.Evidence = append(r.Evidence, fact)
	}
	if busiest < 0.5 {
		r.Against = append(r.Against, in.Fact(node.SourceNIC, p.bond.Name,
			fmt.Sprintf("no slave has been above %s of its line rate in either direction in the last %s", human.Percent(busiest),
				human.Span(in.Now.Sub(nics[0].Tens[0].At)))))
	}
}

// imminent returns the finding of the second stage: a slave is saturated and krbd is affected.
func (p affected) imminent(in rule.Input, r rule.Result, s saturation) rule.Result {
	carries := fmt.Sprintf("%s %s, %s of line rate", s.load.Way, human.BitRate(s.load.Bits), human.Percent(s.load.Share))
	r.Severity, r.Impact, r.Setting, r.Blind = report.Critical, report.DegradedPerformance, false, false
	r.Hits = s.hits
	r.RestsOn = slices.Compact(slices.Sorted(slices.Values(append(s.rests, r.RestsOn...))))
	r.Summary = fmt.Sprintf("layer2 bond + krbd: storm imminent: %s is saturated (%s) for %s and krbd is affected",
		s.nic.Label, carries, human.Span(in.Now.Sub(s.load.Since)))
	full := rule.FactAt(node.SourceNIC, s.nic.Name, fmt.Sprintf("%s has been saturated since %s: %s", s.nic.Label,
		human.Clock(s.load.Since), carries), s.nic.At)
	r.Evidence = append(append([]report.Evidence{full}, s.signs...), r.Evidence...)
	r.Advice = distinct(append(saturationAdvice(in, []string{p.bond.Name}), r.Advice...))
	return r
}

// storm returns the finding of the third stage.
func (p affected) storm(in rule.Input, r rule.Result, s storm) rule.Result {
	a := s.analysis(in.Facts)
	evidence, against := causeEvidence(a)
	r.Severity, r.Setting, r.Blind = report.Critical, false, false
	r.Hits, r.Ended = s.hits(), ended(s.stalls)
	r.RestsOn = append(s.restsOn(), r.RestsOn...)
	r.State, r.Cause = layer2State{storm: s.state, stormy: true}, a.Concluded()
	r.Summary = s.summary("layer2 bond + krbd: retry storm behind "+p.bond.Name+":", s.stallText(in.Facts, len(p.devices)), a)
	r.Evidence = append(append(append(lossEvidence(s.losses, s.looping), stallEvidence(in, s.stalls)...), evidence...), r.Evidence...)
	r.Against = append(against, r.Against...)
	r.Advice = loopAdvice(in, s, a, []string{p.bond.Name})
	return r
}
