package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// mapLag is how long after an outage began the cluster's map may still show the
// OSDs up: monitors wait for other OSDs' reports.
const mapLag = time.Minute

// blame adds what tells this host's fault from the cluster's, with the steps that
// follow from it, and returns the verdict for the summary; empty if neither can
// be told.
func blame(in Input, f *report.Finding) string {
	cut := cutOff(in, f)
	asked := in.Blind(node.SourceCeph)
	health := report.Advice{Do: "Ask the cluster, from here and from another host", Command: "ceph --connect-timeout 5 -s"}
	switch {
	case cut:
		f.Advice = linkAdvice(in)
		return "this host is cut off: none of the links that carry krbd's traffic is up"
	case asked == nil && in.Cluster.At.Before(f.Since):
		f.Against = append(f.Against, in.fact(node.SourceCeph, "", "the cluster has not been asked since: what it says is older"))
	case asked == nil:
		up, down := osdsByCluster(in)
		answers := fmt.Sprintf("the cluster answers this host (%s)", in.Cluster.Value.Health.Status)
		if down > 0 && down >= up {
			f.Evidence = append(f.Evidence, in.fact(node.SourceCeph, "", fmt.Sprintf("%s and says that %s down", answers, areOSDs(down))))
			f.Advice = []report.Advice{health}
			return fmt.Sprintf("the cluster itself says that %s down: not this host's fault", areOSDs(down))
		}
		f.Evidence = append(f.Evidence, in.fact(node.SourceCeph, "", answers))
		f.Advice = append(linkAdvice(in), health)
		if up > 0 && in.Cluster.At.Sub(f.Since) > mapLag {
			return fmt.Sprintf("the cluster answers this host and says that %s up: look at the path from here to the OSDs", areOSDs(up))
		}
		return ""
	case asked.Kind == node.Absent || asked.Kind == node.Denied:
		f.Against = append(f.Against, factAt(node.SourceCeph, "", "whether the cluster or this host is at fault cannot be told: nodewatch may not ask the cluster", in.Now))
	default:
		f.Evidence = append(f.Evidence, factAt(node.SourceCeph, "", "the cluster does not answer nodewatch on this host either: "+asked.Text, asked.Since))
	}
	f.Advice = append([]report.Advice{health}, linkAdvice(in)...)
	return ""
}

// areOSDs is "1 OSD is", "14 OSDs are".
func areOSDs(n int) string {
	if n == 1 {
		return "1 OSD is"
	}
	return fmt.Sprintf("%d OSDs are", n)
}

// osdsByCluster is how many OSDs the cluster has up and down, by its map or, where
// that could not be had, by its health.
func osdsByCluster(in Input) (up, down int) {
	for _, o := range in.Cluster.Value.OSDMap.OSDs {
		switch {
		case o.Up:
			up++
		case o.In:
			down++
		}
	}
	if up+down > 0 {
		return up, down
	}
	for _, c := range in.Cluster.Value.Health.Checks {
		if c.Code == "OSD_DOWN" {
			down = c.Count
		}
	}
	return 0, down
}

// cutOff reports whether every link that carries krbd's traffic is down, and adds
// how they are.
func cutOff(in Input, f *report.Finding) bool {
	if in.Blind(node.SourceBond) != nil {
		return false
	}
	up, all := 0, 0
	for _, p := range in.Storage {
		for _, name := range p.Carriers {
			text, is, known := linkState(in, name)
			if !known {
				continue
			}
			all++
			fact := in.fact(node.SourceBond, name, text)
			if is {
				up++
				f.Against = append(f.Against, fact)
			} else {
				f.Evidence = append(f.Evidence, fact)
			}
		}
	}
	return all > 0 && up == 0
}

// linkState says how a bond or NIC is, whether it is up, and whether it is known.
func linkState(in Input, name string) (text string, up, known bool) {
	if b, found := bondOf(in, name); found {
		links := 0
		for _, s := range b.Slaves {
			if s.Carrier {
				links++
			}
		}
		return fmt.Sprintf("%s has %d of %s with link", name, links, counted(len(b.Slaves), "slave")), links > 0, true
	}
	for _, n := range in.Links.Value.NICs {
		if n.Name == name {
			if n.Up {
				return name + " is up", true, true
			}
			return name + " has no link", false, true
		}
	}
	return "", false, false
}

// linkAdvice is how to look at the links and the way to the OSDs.
func linkAdvice(in Input) []report.Advice {
	var list []report.Advice
	seen := map[string]bool{}
	for _, p := range in.Storage {
		for _, name := range p.Carriers {
			if !seen[name] {
				seen[name] = true
				list = append(list, report.Advice{Do: "See how " + name + " is and has been", Command: paste("ip -d -s link show dev %s; journalctl -k --since -15min --grep %s", name, name)})
			}
		}
	}
	for _, o := range in.Cluster.Value.OSDMap.OSDs {
		if len(o.Addrs) == 0 {
			continue
		}
		if host := hostOf(o.Addrs[0]); host != "" {
			return append(list, report.Advice{Do: fmt.Sprintf("See which way leads to osd%d's host, and whether it answers", o.ID), Command: paste("ip route get %s; ping -c 3 %s", host, host)})
		}
	}
	return list
}
