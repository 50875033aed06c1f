package page

import (
	"fmt"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
)

// notes describe which of the named sources are unavailable now, and why: the part of
// the page that shows them is then outdated or empty.
func notes(v judge.View, sources ...string) []string {
	var list []string
	for _, name := range sources {
		err := v.Blind(name)
		if err == nil || err.Kind == node.Absent {
			continue
		}
		text := fmt.Sprintf("Source %s is unavailable (%s): %s.", name, err.Kind, err.Text)
		if s, _ := v.Source(name); !s.Last.IsZero() {
			text += " Its data is from " + ago(s.Last, v.Now) + "."
		}
		list = append(list, text)
	}
	return list
}

// ever reports whether the named source has ever been read.
func ever(v judge.View, source string) bool {
	s, _ := v.Source(source)
	return !s.Last.IsZero()
}
