package page

import (
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
)

// A pathsView shows the paths by which krbd's traffic leaves the node.
type pathsView struct {
	Notes []string
	Paths []string
	Known bool // krbd's devices have been read
}

// maxPaths is the maximum number of paths shown: one for each address of a client.
const maxPaths = 20

func pathsOf(v judge.View) pathsView {
	p := pathsView{Notes: notes(v, node.SourceKrbd), Known: ever(v, node.SourceKrbd)}
	for _, one := range v.Storage[:min(len(v.Storage), maxPaths)] {
		p.Paths = append(p.Paths, pathOf(one))
	}
	return p
}

func pathOf(p node.Path) string {
	text := fmt.Sprintf("%s, %s: ", plural(p.Devices, "krbd disk", "krbd disks"), plural(len(p.Clients), "kernel client", "kernel clients"))
	switch {
	case p.Link == "":
		return text + p.IP + " is on no link of this node"
	case len(p.Carriers) == 0:
		return text + p.IP + " on " + p.Link + ", and the link that carries it is unknown"
	case len(p.Carriers) == 1 && p.Carriers[0] == p.Link:
		return text + p.IP + " on " + p.Link
	}
	return text + p.IP + " on " + p.Link + ", carried by " + strings.Join(p.Carriers, " and ")
}
