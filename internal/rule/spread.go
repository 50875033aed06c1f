package rule

import (
	"fmt"

	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// SpreadSent returns advice to make a bond distribute transmitted traffic by ports.
func SpreadSent(b bond.Bond) report.Advice {
	if b.Kind == bond.OVS {
		return report.Advice{
			Do:      fmt.Sprintf("Set %s to balance-tcp, which distributes sent traffic by ports; first enable LACP on the switch's ports", b.Name),
			Command: ShellCommand("ovs-vsctl set port %s bond_mode=balance-tcp lacp=active", b.Name),
		}
	}
	return report.Advice{
		Do: fmt.Sprintf("Set %s's transmit hash policy to layer3+4, and put it into the network configuration (ifupdown: bond-xmit-hash-policy layer3+4; netplan: transmit-hash-policy: layer3+4). "+
			"Some NIC drivers and switches drop the link briefly: change one bond at a time", b.Name),
		Command: ShellCommand("ip link set dev %s type bond xmit_hash_policy layer3+4", b.Name),
	}
}

// SpreadReceived returns advice to make the switch distribute the traffic that a bond
// receives by ports.
func SpreadReceived(b bond.Bond) report.Advice {
	return report.Advice{Do: fmt.Sprintf("On the switch, hash the LAG towards %s by layer 3+4 (IP addresses and ports): the switch chooses the slave that receives; no setting of this host does", b.Name)}
}
