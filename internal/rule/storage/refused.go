package storage

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func cephRefused() rule.Rule {
	limits := &struct {
		Refusals int           `json:"refusals" doc:"refused sessions within window, over all OSDs and monitors" min:"1" max:"10000"`
		Window   time.Duration `json:"window" doc:"time window for refusals" min:"10s" max:"10m"`
	}{2, 2 * time.Minute}
	return rule.Rule{
		ID:            "ceph-refused",
		Title:         "Ceph refuses this client",
		Component:     report.ComponentStorage,
		Severity:      "warning, critical",
		Impact:        "by the guests whose disks are stalled",
		Needs:         []string{node.SourceKmsg},
		For:           rule.Timing{Info: 3 * time.Second, Warning: 3 * time.Second},
		KeepFiringFor: rule.Always(time.Minute),
		Explains:      []string{"krbd-stalled", "ceph-unreachable", "host-io-pressure"},
		Limits:        limits,
		About: "OSDs or monitors answer but refuse this client: authentication fails (a rotated or deleted key, caps, expired tickets, a wrong clock), this kernel lacks a feature that the cluster requires, or the protocols do not match. At least 2 refusals in 2 minutes. " +
			"Open sessions continue; one that ends cannot be re-established, and its requests wait indefinitely. Critical when krbd I/O is stalled, else a warning.",
		Do: []string{
			"Authentication: compare the key and caps of the client's user with the cluster's; check this host's clock.",
			"Features: boot a newer kernel, or revert the change of the CRUSH tunables or of require-min-compat-client.",
			"Protocol: check ms_mode of the mappings against what the cluster's daemons listen to (msgr1, msgr2).",
		},
		Check: func(in rule.Input) []rule.Result {
			losses := in.Unopened(limits.Window)
			var osds []*facts.OSDLosses
			n := uint64(0)
			for i := range losses.OSDs {
				if of := losses.OSDs[i].Refused(); of > 0 {
					osds, n = append(osds, losses.OSDs[i]), n+of
				}
			}
			mons := monRefusals(in, limits.Window)
			for _, s := range mons {
				n += s.Within(in.Now, limits.Window)
			}
			if n < uint64(limits.Refusals) {
				return nil
			}
			by := refusedBy(osds, mons)
			r := rule.Result{Severity: report.Warning, Summary: rule.Summary(by+": "+refusedWhy(osds, mons), by),
				Evidence: lossEvidence(losses, osds)}
			for _, s := range mons {
				r.Evidence = append(r.Evidence, rule.FactAt(node.SourceKmsg, s.Peer,
					fmt.Sprintf("%s in %s, latest: %s", human.Count(s.Within(in.Now, limits.Window), "line"), human.Span(limits.Window),
						s.Text), s.Last))
			}
			var stalls []*facts.Stall
			for _, s := range in.Stalls() {
				if s.Disk != nil && s.For >= 3*time.Second && len(osds) > 0 {
					stalls = append(stalls, s)
				}
			}
			if len(stalls) > 0 {
				r.Severity, r.Hits = report.Critical, stalledHits(stalls)
				r.RestsOn = []string{node.SourceKmsg, node.SourceIO}
				stalled := fmt.Sprintf("; %s%s stalled for %s", human.AllOf(len(stalls), len(in.Mapped.Value), "krbd disk"),
					in.GuestsOn(r.Hits.Stalled).In(), human.Span(stalls[0].For))
				r.Summary = rule.Summary(r.Summary+stalled, refusedBy(osds, mons)+stalled)
				r.Evidence = append(r.Evidence, stallEvidence(in, stalls)...)
			}
			r.Advice = append(refusedAdvice(osds), askCluster)
			if len(osds) == 0 {
				r.Advice = append(seriesAdvice(mons), askCluster)
			}
			return []rule.Result{r}
		},
	}
}

// monRefusals returns the lines of the window that report that a monitor refuses this
// client, including those that name no peer.
func monRefusals(in rule.Input, window time.Duration) []*node.Series {
	var list []*node.Series
	for _, class := range []kmsg.Class{kmsg.AuthFault, kmsg.ProtocolFault, kmsg.WrongCluster} {
		for _, s := range in.Kernel.Of(class) {
			mon := strings.HasPrefix(s.Peer, "mon") || s.Peer == "" && class != kmsg.ProtocolFault && s.Detail != "global_id" &&
				s.Detail != "osd"
			reason := kmsg.SessionReason(class, s.Detail)
			if mon && (class != kmsg.ProtocolFault || reason.Refused()) && s.Within(in.Now, window) > 0 {
				list = append(list, s)
			}
		}
	}
	return list
}

func refusedBy(osds []*facts.OSDLosses, mons []*node.Series) string {
	switch {
	case len(osds) > 0 && len(mons) > 0:
		return fmt.Sprintf("Ceph refuses this client (the monitors and %s)", osdsText(osds))
	case len(osds) > 0:
		return fmt.Sprintf("Ceph refuses this client (%s)", osdsText(osds))
	}
	return "Ceph's monitors refuse this client"
}

// refusedWhy returns the reason in words, of the first line that has one.
func refusedWhy(osds []*facts.OSDLosses, mons []*node.Series) string {
	for i := range osds {
		switch o := osds[i]; {
		case o.Of(kmsg.ReasonAuthentication) > 0:
			return "authentication (cephx) fails"
		case o.Of(kmsg.ReasonFeatures) > 0:
			return "this kernel lacks a feature that the cluster requires"
		case o.Of(kmsg.ReasonVersion) > 0:
			return "the protocol versions do not match (msgr1, msgr2)"
		}
	}
	for _, s := range mons {
		switch {
		case s.Class == kmsg.AuthFault:
			return "authentication (cephx) fails: " + s.Text
		case s.Class == kmsg.WrongCluster:
			return "it is another cluster: " + s.Text
		case kmsg.SessionReason(s.Class, s.Detail) == kmsg.ReasonFeatures:
			return "this kernel lacks a feature that the cluster requires"
		}
	}
	return "the protocol versions do not match"
}

// refusedAdvice returns what to do about refusals by OSDs.
func refusedAdvice(osds []*facts.OSDLosses) []report.Advice {
	for i := range osds {
		switch o := osds[i]; {
		case o.Of(kmsg.ReasonAuthentication) > 0:
			return authAdvice()
		case o.Of(kmsg.ReasonFeatures) > 0:
			return featureAdvice()
		case o.Of(kmsg.ReasonVersion) > 0:
			return []report.Advice{{Do: "Check ms_mode of the mappings against what the OSDs listen to",
				Command: "ceph --connect-timeout 10 osd dump | head -30"}}
		}
	}
	return nil
}

func seriesAdvice(mons []*node.Series) []report.Advice {
	for _, s := range mons {
		if s.Class == kmsg.AuthFault {
			return authAdvice()
		}
	}
	return featureAdvice()
}

func authAdvice() []report.Advice {
	return []report.Advice{{Do: "Compare the key and caps of the client's user (config_info of the mapping names it) with the cluster's, and check this host's clock; a mapping keeps using the key that it was mapped with", Command: "ceph --connect-timeout 10 auth ls; timedatectl"}}
}

func featureAdvice() []report.Advice {
	return []report.Advice{{Do: "Revert the change of the cluster's requirements (CRUSH tunables, upmap), or boot a newer kernel",
		Command: "ceph --connect-timeout 10 osd crush show-tunables; ceph --connect-timeout 10 features"}}
}
