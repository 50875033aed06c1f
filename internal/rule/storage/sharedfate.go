package storage

import (
	"fmt"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdSharedFate() rule.Rule {
	limits := &struct {
		Guests int `json:"guests" doc:"number of guests (of krbd disks, if the guests are unknown) that share one kernel client from which the finding is raised" min:"2" max:"100000"`
	}{2}
	return rule.Rule{
		ID:        "krbd-shared-fate",
		Title:     "many guests share one kernel Ceph client",
		Component: report.ComponentStorage,
		Severity:  "info",
		Impact:    "operational: this is how krbd works, not a fault",
		Needs:     []string{node.SourceKrbd},
		Limits:    limits, // no For: a mapping needs no confirmation
		About: "All krbd devices that are mapped with the same options share one kernel client, and therefore one connection to each OSD for the whole host. One guest's failed read resets the session of all of them, and one saturated NIC stalls all of them. " +
			"The finding counts the guests behind each client: as many are affected by an outage of that client. With librbd each guest has its own client.",
		Do: []string{
			"Move guests to librbd, first those that must not fail together.",
			"If krbd is required, map with noshare to give a device its own client; each such device opens connections to every OSD.",
		},
		Check: func(in rule.Input) []rule.Result {
			var found []rule.Result
			clients := in.Clients()
			for _, c := range clients {
				u := in.GuestsOn(c.Devices)
				n := len(u.Names)
				if n == 0 && in.GuestsKnown() != nil {
					n = len(c.Devices)
				}
				if n >= limits.Guests {
					f := sharedFate(in, c, u)
					if clients[0].FSID != clients[len(clients)-1].FSID { // client ids are unique only within a cluster
						f.Subject = c.FSID + "." + f.Subject
					}
					found = append(found, f)
				}
			}
			return found
		},
	}
}

func sharedFate(in rule.Input, c facts.Client, u facts.GuestSet) rule.Result {
	f := rule.Result{
		Subject:  c.Name(),
		Severity: report.Info,
		Setting:  true,
		Summary: fmt.Sprintf("%s%s share one kernel client (%s): a stall of this client affects all of them",
			human.Count(len(c.Devices), "krbd disk"), u.In(), c.Name()),
		Evidence: []report.Evidence{in.Fact(node.SourceKrbd, c.Name(),
			fmt.Sprintf("%s at %s, cluster %s: %s", c.Name(), c.Addr, c.FSID, human.Names(c.Devices, 5)))},
		Advice: append(librbdAdvice(in, c.Devices),
			report.Advice{Do: "Or map a device that must not fail with the others with noshare: it then has its own client, with connections to every OSD"}),
	}
	if len(u.Names) > 0 {
		f.Evidence = append(f.Evidence, in.Fact(node.SourceKrbd, c.Name(), u.List(5)))
	} else if err := in.GuestsKnown(); err != nil {
		f.Against = append(f.Against, in.Fact(node.SourceKrbd, c.Name(), "number of guests unknown: "+err.Text))
	}
	return f
}
