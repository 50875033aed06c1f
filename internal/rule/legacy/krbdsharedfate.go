package legacy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdSharedFate() Rule {
	limits := &struct {
		Guests int `json:"guests" doc:"guests behind one kernel client from which the finding is raised; krbd disks, where the guests are not known" min:"2" max:"100000"`
	}{2}
	return Rule{
		ID:        "krbd-shared-fate",
		Title:     "many guests sit behind one kernel Ceph client",
		Component: Storage,
		Severity:  "info",
		Impact:    "operational: it is how krbd works, and not a fault",
		Needs:     []string{node.SourceKrbd},
		Limits:    limits, // neither hold nor keep: devices are mapped or not
		About: "All krbd devices that are mapped with equal options share one kernel client, and so one connection to each OSD for the whole host. One guest's broken read gives up the session of all of them, and one full NIC stalls all of them. " +
			"The finding counts the guests behind each client: it is the number that an outage of that client hits. With librbd each guest has a client of its own.",
		Do: []string{
			"Move guests to librbd, those first that must not fall together.",
			"Where krbd must stay, mapping with noshare gives a device a client of its own, at the price of connections to every OSD for each.",
		},
		Check: func(in Input) []report.Finding {
			var found []report.Finding
			clients := clientsOf(in.Mapped.Value)
			for _, c := range clients {
				u := usersOf(in, c.devices)
				n := len(u.names)
				if n == 0 && in.GuestsKnown() != nil {
					n = len(c.devices)
				}
				if n >= limits.Guests {
					f := c.finding(in, u)
					if clients[0].fsid != clients[len(clients)-1].fsid { // ids are of one cluster
						f.Subject = c.fsid + "." + f.Subject
					}
					found = append(found, f)
				}
			}
			return found
		},
	}
}

// A kclient is one kernel client and what is mapped through it.
type kclient struct {
	fsid    string
	id      uint64
	addr    string
	devices []string
}

// clientsOf are the kernel clients of the devices, by cluster and id.
func clientsOf(list []rbd.Mapped) []kclient {
	type key struct {
		fsid string
		id   uint64
	}
	place := map[key]int{}
	var clients []kclient
	for i := range list {
		m := &list[i]
		k := key{m.FSID, m.ClientID}
		p, found := place[k]
		if !found {
			p = len(clients)
			place[k] = p
			clients = append(clients, kclient{fsid: m.FSID, id: m.ClientID, addr: m.Nonce})
		}
		clients[p].devices = append(clients[p].devices, m.Device)
	}
	slices.SortFunc(clients, func(a, b kclient) int { return cmp.Or(cmp.Compare(a.fsid, b.fsid), cmp.Compare(a.id, b.id)) })
	return clients
}

func (c kclient) finding(in Input, u users) report.Finding {
	f := report.Finding{
		Subject:  clientName(c.id),
		Severity: report.Info,
		Impact:   report.Operational,
		Summary:  fmt.Sprintf("%s%s share one kernel client (%s): what stalls it stalls all of them", counted(len(c.devices), "krbd disk"), u.of(), clientName(c.id)),
		Evidence: []report.Evidence{in.fact(node.SourceKrbd, clientName(c.id), fmt.Sprintf("%s at %s, cluster %s: %s", clientName(c.id), c.addr, c.fsid, someOf(c.devices, 5)))},
		Advice: append(librbdAdvice(in, c.devices),
			report.Advice{Do: "Or give a device that must not fall with the others a client of its own: map it with noshare, which costs connections to every OSD for each such device"}),
	}
	if len(u.names) > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, clientName(c.id), u.list(5)))
	} else if err := in.GuestsKnown(); err != nil {
		f.Against = append(f.Against, in.fact(node.SourceKrbd, clientName(c.id), "how many guests that is cannot be told: "+err.Text))
	}
	return f
}
