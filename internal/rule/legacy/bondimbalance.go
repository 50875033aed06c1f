package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type imbalanceLimits struct {
	Share  float64       `json:"share" doc:"part of a two-slave bond's traffic, one way, that is too much for one slave; with more slaves, as far from an even split" min:"0.75" max:"1"`
	Floor  float64       `json:"floor" doc:"part of its line rate that the busiest slave must carry for its share to mean anything; a slave of unknown speed counts as 10 Gbit/s" min:"0.01" max:"0.9"`
	Window time.Duration `json:"window" doc:"time over which shares are averaged" min:"10s" max:"60s"`
}

func bondImbalance() Rule {
	limits := &imbalanceLimits{Share: 0.85, Floor: 0.25, Window: 30 * time.Second}
	return Rule{
		ID:        "bond-imbalance",
		Title:     "one slave carries nearly all of a bond's traffic",
		Component: Network,
		Severity:  "warning",
		Impact:    "operational: until that slave is full nobody feels it",
		Needs:     []string{node.SourceBond, node.SourceNIC},
		Hold:      time.Minute,     // a flow or two that end within a minute are no imbalance
		Keep:      2 * time.Minute, // traffic comes in waves
		Limits:    limits,
		About: "What a bond receives and what it sends are judged apart, as shares of its slaves on average. The bond's own policy decides what this host sends; the switch's decides what it receives. If only the receiving side is skewed, the cause is on the switch side, and no setting of this host mends it. " +
			"A hash over ports spreads connections by chance: 30 to 70 is normal, and the threshold lies well above it. Bonds with little traffic are not judged, nor those whose mode leaves nothing to spread: active-backup, broadcast, and the receiving side of balance-tlb and balance-alb. " +
			"A single connection never spreads: one backup or one migration looks the same.",
		Do: []string{
			"Receiving side: have the switch hash the bundle by IP addresses and ports (often called `src-dst-ip-l4port` or `layer3+4`).",
			"Sending side: set `layer3+4` on the bond, if it hashes by MAC address.",
			"See whether it is a single large connection: it will end, and no policy spreads it.",
		},
		Check: func(in Input) []report.Finding {
			if in.Blind(node.SourceNIC) != nil {
				return nil
			}
			return overBonds(in, func(b bond.Bond) (report.Finding, bool) { return limits.judge(in, b) })
		},
	}
}

// spreadsRx reports whether the mode leaves it to the switch, or to chance, which
// slave receives. In balance-tlb one slave receives all by design, and in
// balance-alb the host itself shares its peers out.
func spreadsRx(b bond.Bond) bool {
	switch b.Mode {
	case bond.LACP, bond.BalanceXOR, bond.BalanceRR, bond.BalanceSLB, bond.BalanceTCP:
		return true
	}
	return false
}

// spreadsTx reports whether the mode is to spread what this host sends.
func spreadsTx(b bond.Bond) bool { return b.Hashes() || b.Mode == bond.BalanceRR }

func (l *imbalanceLimits) judge(in Input, b bond.Bond) (report.Finding, bool) {
	list, followed := portions(in, b, l.Window)
	if !followed {
		return report.Finding{}, false
	}
	rx, tx := spreadOf(list, "rx"), spreadOf(list, "tx")
	badRx, badTx := spreadsRx(b) && l.skewed(rx), spreadsTx(b) && l.skewed(tx)
	if !badRx && !badTx {
		return report.Finding{}, false
	}
	f := report.Finding{
		Severity: report.Warning,
		Impact:   report.Operational,
		Summary:  bondName(b) + " " + l.summary(b, rx, tx, badRx, badTx),
		Against: []report.Evidence{
			in.fact(node.SourceNIC, b.Name, "a few large connections cannot be balanced: one backup or one migration looks the same"),
		},
		Advice: []report.Advice{lookAtBond(b), {Do: "See which connections carry it", Command: "ss -Htin state established"}},
	}
	for _, p := range list {
		f.Evidence = append(f.Evidence, in.fact(node.SourceNIC, p.slave, fmt.Sprintf("rx %s (%s), tx %s (%s), on average over %s",
			bitRate(p.rx), percent(part(p.rx, rx.total)), bitRate(p.tx), percent(part(p.tx, tx.total)), span(l.Window))))
	}
	f.Evidence = append(f.Evidence, in.fact(bondSource(b), b.Name, "this host sends by "+bondHash(b)))
	if like, why := b.Layer2Like(); badTx && like {
		f.Evidence = append(f.Evidence, in.fact(bondSource(b), b.Name, why))
		f.Advice = append(f.Advice, hashAdvice(b)...)
	} else if badRx {
		f.Advice = append(f.Advice, report.Advice{Do: fmt.Sprintf("Have the switch hash its side of %s by IP addresses and ports: no setting of this host changes what it receives where", b.Name)})
	}
	return f, true
}

// skewed reports whether one slave carries too much of what is enough to judge by.
func (l *imbalanceLimits) skewed(s spread) bool {
	return s.fill >= l.Floor && s.skew >= (l.Share-0.5)/0.5
}

// summary says which way is skewed and, for what is received, on whose side.
func (l *imbalanceLimits) summary(b bond.Bond, rx, tx spread, badRx, badTx bool) string {
	const little = 1e6   // bit/s: below it what is sent shows nothing of the policy
	const byChance = 0.4 // 30 to 70 on two slaves
	switch {
	case badRx && badTx:
		return fmt.Sprintf("is out of balance both ways: receives %s (the switch decides that), sends %s (%s)", rx, tx, bondHash(b))
	case badTx:
		return fmt.Sprintf("is out of balance: sends %s (%s)", tx, bondHash(b))
	case tx.total < little:
		return fmt.Sprintf("is out of balance: receives %s. The switch decides what arrives where; what this host sends is too little to compare", rx)
	case tx.skew <= byChance:
		return fmt.Sprintf("is out of balance on the switch side: receives %s, while what it sends is spread (%s)", rx, tx)
	case tx.skew < (l.Share-0.5)/0.5:
		return fmt.Sprintf("is out of balance on the switch side: receives %s, while what it sends is less uneven (%s)", rx, tx)
	}
	return fmt.Sprintf("is out of balance: receives %s, which the switch decides; the little it sends (%s) is as uneven", rx, tx)
}

// part is a share of a sum; 0 of nothing.
func part(n, sum float64) float64 {
	if sum <= 0 {
		return 0
	}
	return n / sum
}
