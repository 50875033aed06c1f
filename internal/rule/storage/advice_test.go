package storage

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// A command without a timeout would hang the terminal of on-call if the cluster is
// down, and a limit on transmitted traffic does not help a NIC that is full on
// receive.
func TestCommandsNeitherHangNorThrottle(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	ceph := regexp.MustCompile(`(^|; |\| )ceph `)
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			text, is := n.(*ast.BasicLit)
			if !is || text.Kind != token.STRING {
				return true
			}
			value := strings.Trim(text.Value, "\"`")
			for _, at := range ceph.FindAllStringIndex(value, -1) {
				found++
				if !strings.HasPrefix(value[at[1]:], "--connect-timeout 10 ") {
					t.Errorf("%s: %s: ceph is asked without a timeout", set.Position(text.Pos()), value)
				}
			}
			if strings.Contains(value, "tbf") || strings.Contains(value, "tc qdisc") {
				t.Errorf("%s: %s: a throttle is advised", set.Position(text.Pos()), value)
			}
			return true
		})
	}
	if found < 10 {
		t.Errorf("got %d ceph commands, want more: the test looks at the wrong place", found)
	}
}

func TestLossesAreCountedByReason(t *testing.T) {
	var o facts.OSDLosses
	set := func(r kmsg.Reason, n uint32) {
		for i := range facts.Reasons {
			if facts.Reasons[i] == r {
				o.N[i] = n
			}
		}
	}
	set(kmsg.ReasonCRC, 1)
	set(kmsg.ReasonClosed, 2)
	set(kmsg.ReasonConnect, 3)
	const want = "1 CRC fault, 2 sessions closed by the OSD, 3 failed connects in 1 min"
	if got := lossText([]*facts.OSDLosses{&o}, 60e9); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, r := range facts.Reasons {
		if reasonText[r] == "" {
			t.Errorf("%s has no words", r)
		}
	}
}
