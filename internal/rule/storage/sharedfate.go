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
		Guests int `json:"guests" doc:"guests behind one kernel client from which the finding is raised; krbd disks, where the guests are not known" min:"2" max:"100000"`
	}{2}
	return rule.Rule{
		ID:        "krbd-shared-fate",
		Title:     "many guests sit behind one kernel Ceph client",
		Component: rule.Storage,
		Severity:  "info",
		Impact:    "operational: it is how krbd works, and not a fault",
		Needs:     []string{node.SourceKrbd},
		Limits:    limits, // devices are mapped or not
		About: "All krbd devices that are mapped with equal options share one kernel client, and so one connection to each OSD for the whole host. One guest's broken read gives up the session of all of them, and one full NIC stalls all of them. " +
			"The finding counts the guests behind each client: it is the number that an outage of that client hits. With librbd each guest has a client of its own.",
		Do: []string{
			"Move guests to librbd, those first that must not fall together.",
			"Where krbd must stay, mapping with noshare gives a device a client of its own, at the price of connections to every OSD for each.",
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
					if clients[0].FSID != clients[len(clients)-1].FSID { // ids are of one cluster
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
		Summary:  fmt.Sprintf("%s%s share one kernel client (%s): a stall of this client affects all of them", human.Count(len(c.Devices), "krbd disk"), u.In(), c.Name()),
		Evidence: []report.Evidence{in.Fact(node.SourceKrbd, c.Name(), fmt.Sprintf("%s at %s, cluster %s: %s", c.Name(), c.Addr, c.FSID, human.Names(c.Devices, 5)))},
		Advice: append(librbdAdvice(in, c.Devices),
			report.Advice{Do: "Or give a device that must not fall with the others a client of its own: map it with noshare, which costs connections to every OSD for each such device"}),
	}
	if len(u.Names) > 0 {
		f.Evidence = append(f.Evidence, in.Fact(node.SourceKrbd, c.Name(), u.List(5)))
	} else if err := in.GuestsKnown(); err != nil {
		f.Against = append(f.Against, in.Fact(node.SourceKrbd, c.Name(), "unknown how many guests that is: "+err.Text))
	}
	return f
}
