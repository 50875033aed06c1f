package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/host"
)

// A hostView shows the host.
type hostView struct {
	Notes []string
	Facts []factLine
}

func hostOf(v judge.View) hostView {
	h := hostView{Notes: notes(v, node.SourceHost)}
	if v.Host.At.IsZero() {
		return h
	}
	s := v.Host.Value
	h.Facts = append(h.Facts,
		factLine{Name: "Kernel", Text: s.Release + ", booted " + ago(s.Boot, v.Now)},
		factLine{Name: "Load", Text: fmt.Sprintf("%.2f, %.2f, %.2f on %s", s.Load[0], s.Load[1], s.Load[2], plural(s.CPUs, "CPU", "CPUs"))},
	)
	if s.IO != nil {
		h.Facts = append(h.Facts, factLine{Name: "I/O pressure", Text: fmt.Sprintf("some %s %%, full %s %% of the last 10 s",
			digits(s.IO.Some10), digits(s.IO.Full10))})
	}
	if s.Waiting != nil && s.Waiting.Total > 0 {
		h.Facts = append(h.Facts, factLine{Name: "Waiting tasks", Text: waitingOf(*s.Waiting)})
	}
	return h
}

// waitingOf names the tasks in uninterruptible sleep, the most frequent first.
func waitingOf(w host.Waiting) string {
	names := slices.SortedFunc(maps.Keys(w.ByComm), func(a, b string) int {
		return cmp.Or(cmp.Compare(w.ByComm[b], w.ByComm[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names[:min(len(names), 5)] {
		parts = append(parts, fmt.Sprintf("%s %s", number(w.ByComm[name]), name))
	}
	return fmt.Sprintf("%s in uninterruptible sleep: %s", number(w.Total), strings.Join(parts, ", "))
}
