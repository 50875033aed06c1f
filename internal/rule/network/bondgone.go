package network

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type goneLimits struct {
	After time.Duration `json:"after" doc:"how long a bond must be gone to be more than an info: a network reload removes it for a few seconds" min:"5s" max:"10m"`
}

func bondGone() rule.Rule {
	l := &goneLimits{After: 20 * time.Second}
	return rule.Rule{
		ID:            "bond-gone",
		Title:         "a bond has disappeared",
		Component:     report.ComponentNetwork,
		Severity:      "info for the first seconds; then warning, or critical when krbd's traffic has no path left",
		Impact:        "operational; major_outage when krbd's traffic has no path left",
		Needs:         []string{node.SourceBond},
		KeepFiringFor: rule.Timing{Info: 30 * time.Second, Warning: 10 * time.Second, Critical: 10 * time.Second},
		Explains:      storageEffects(),
		Limits:        l,
		About: "A bond that existed when nodewatch started, or was created since, has disappeared. A reload of the network configuration (ifreload, netplan apply) removes a bond and creates it again within seconds, which is reported as info. " +
			"A bond that does not come back points to a configuration error or an unloaded driver. After an hour its removal counts as intended.",
		Do: []string{
			"Find out what removed it: `journalctl --since -10min -u networking -u systemd-networkd`.",
			"Create it again from the configuration: `ifreload -a` or `netplan apply`. This interrupts every link that it changes.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, b := range in.GoneBonds() {
				if r, is := l.check(in, b); is {
					list = append(list, r)
				}
			}
			return list
		},
	}
}

// intended is how long a bond must be gone to count as removed on purpose.
const intended = time.Hour

func (l *goneLimits) check(in rule.Input, b node.SeenBond) (rule.Result, bool) {
	gone := in.Now.Sub(b.Gone)
	if gone > intended {
		return rule.Result{}, false
	}
	names := make([]string, len(b.Slaves))
	for i, s := range b.Slaves {
		names[i] = s.Name
	}
	r := rule.Result{
		Subject: b.Name, Severity: report.Info, Since: b.Gone, Explains: append([]string{"", b.Name}, names...),
		Summary: fmt.Sprintf("%s has disappeared at %s; its slaves were %s", b.Name, human.Clock(b.Gone), human.Names(names, 4)),
		Evidence: []report.Evidence{
			rule.FactAt(node.SourceBond, b.Name, "last present at "+human.Clock(b.Last), b.Last),
			in.Fact(node.SourceBond, b.Name, "the kernel has no bond of this name"),
		},
		Advice: []report.Advice{
			{Do: "See who removed it", Command: "journalctl --since -10min -u networking -u systemd-networkd"},
			{Do: "List the links", Command: "ip -br link"},
			{Do: "Create it again from the configuration (ifreload -a, netplan apply). This interrupts every link that it changes"},
		},
	}
	if gone < l.After {
		return r, true
	}
	r.Severity = report.Warning
	if n := len(in.Mapped.Value); n > 0 && !slices.ContainsFunc(in.Storage, func(p node.Path) bool { return len(p.Carriers) > 0 }) {
		r.Severity, r.Impact = report.Critical, report.MajorOutage
		r.Summary += fmt.Sprintf("; %s have no link to the cluster", human.Count(n, "krbd disk"))
		slices.Reverse(r.Advice) // first the steps about the path to the cluster, then those about the removal
	}
	return r, true
}
