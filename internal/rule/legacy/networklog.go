package legacy

import (
	"strings"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// downLines are the kernel's latest words, of the last half hour, on slaves of the
// bond that went down; at most two.
func downLines(in Input, b bond.Bond) []report.Evidence {
	var list []report.Evidence
	for _, s := range in.Kernel.Of(kmsg.BondSlaveDown) {
		if strings.HasPrefix(s.Device, b.Name+"/") && in.Now.Sub(s.Last) < 3*flapWindow && len(list) < 2 {
			list = append(list, factAt(node.SourceKmsg, s.Device, s.Text, s.Last))
		}
	}
	return list
}
