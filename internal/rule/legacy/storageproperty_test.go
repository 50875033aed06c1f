package legacy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// chaos lives through some minutes in which anything may happen. The same seed
// gives the same life.
func chaos(t testing.TB, seed uint64) *rig {
	rnd := rand.New(rand.NewPCG(seed, 7))
	r := newRig(t, 6)
	windows(r)
	r.addVM("", "")
	r.mapped[1].Options = nil
	r.mapped[2].Options.RxBounce = true
	r.mapped[3].ClientID = 4999
	r.mapped[4].Holders = []rbd.Holder{{Device: "dm-3", Kind: "lvm"}}
	classes := []kmsg.Class{kmsg.CRC, kmsg.Integrity, kmsg.ClosedOpen, kmsg.Closed, kmsg.SocketError, kmsg.ConnectError, kmsg.SparseRead,
		kmsg.OSDDown, kmsg.OSDUp, kmsg.MonLost, kmsg.MonFound, kmsg.Full}
	onDevice := []kmsg.Class{kmsg.RBDResult, kmsg.RBDWatch, kmsg.RBDMapped, kmsg.FSReadOnly, kmsg.FSError, kmsg.FSMounted, kmsg.BlockError}
	sources := []string{node.SourceIO, node.SourceNIC, node.SourceKmsg, node.SourceKrbd, node.SourceOSDC, node.SourceBond, node.SourceCeph, node.SourceLibvirt, node.SourceHost}
	pick := func(list []kmsg.Class) kmsg.Class { return list[rnd.IntN(len(list))] }
	for range 100 {
		switch rnd.IntN(12) {
		case 0:
			r.stall(rnd.IntN(8))
		case 1:
			r.flow()
		case 2:
			r.carry(rnd.IntN(2), 10*rnd.Float64(), 10*rnd.Float64())
		case 3:
			r.nics[0].drops, r.nics[1].crc = uint64(rnd.IntN(2)*900), uint64(rnd.IntN(2))
		case 4:
			r.disk(pick(onDevice), []string{"rbd0", "rbd3", "dm-3", "sda"}[rnd.IntN(4)], -[]int{0, 5, 107, 108}[rnd.IntN(4)])
		case 5:
			r.wait(rnd.IntN(8), rnd.IntN(4)-1, rnd.IntN(90), "read")
		case 6:
			r.blind(node.Stalled, sources[rnd.IntN(len(sources))])
		case 7:
			r.dark = map[string]*node.Error{}
		case 8:
			r.cluster = osdMap(rnd.IntN(5), rnd.IntN(5))
			r.cluster.Blocklist = []ceph.Entry{{Addr: r.mapped[0].Nonce, Until: r.now.Add(time.Minute)}}
		case 9:
			r.links.Bonds[0].HashPolicy = []bond.HashPolicy{bond.Layer2, bond.Layer34}[rnd.IntN(2)]
		default:
			for range rnd.IntN(20) {
				class := pick(classes)
				peer := fmt.Sprintf("osd%d", rnd.IntN(6))
				if class == kmsg.MonLost || class == kmsg.MonFound {
					peer = "mon0"
				}
				r.log(class, peer, uint64(1+rnd.IntN(3)))
			}
		}
		r.run(1 + rnd.IntN(5))
	}
	return r
}

// Whatever happens: a rule gives the same findings for the same input, with their
// evidence in the same order; it changes nothing it is given; and what it says is
// fit to be shown.
func TestStorageRulesProperties(t *testing.T) {
	all := cmp.Exporter(func(reflect.Type) bool { return true })
	seen := map[string]bool{}
	for seed := range uint64(12) {
		r, twin := chaos(t, seed), chaos(t, seed)
		if diff := cmp.Diff(r.view.Report, twin.view.Report); diff != "" {
			t.Fatalf("seed %d: two runs differ (-first +second)\n%s", seed, diff)
		}
		for _, rule := range storageRules() {
			in := Input{Snapshot: r.view.Snapshot, Raised: raisedOf(r.view.Report, rule.ID)}
			first := rule.Check(in)
			for range 5 {
				if diff := cmp.Diff(first, rule.Check(in)); diff != "" {
					t.Fatalf("seed %d: %s is not deterministic (-first +later)\n%s", seed, rule.ID, diff)
				}
			}
			for _, f := range first {
				seen[rule.ID] = true
				wantFit(t, rule, f)
			}
		}
		if diff := cmp.Diff(twin.view.Snapshot, r.view.Snapshot, all); diff != "" {
			t.Fatalf("seed %d: a rule changed its input (-before +after)\n%s", seed, diff)
		}
		if diff := cmp.Diff(twin.view.Report, r.view.Report); diff != "" {
			t.Fatalf("seed %d: a rule changed what is raised (-before +after)\n%s", seed, diff)
		}
	}
	for _, rule := range storageRules() {
		if rule.ID != "kernel-known-bug" && !seen[rule.ID] {
			t.Errorf("%s was never seen: the test tests nothing of it", rule.ID)
		}
	}
}

func raisedOf(r report.Report, id string) []report.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f report.Finding) bool { return f.Rule != id })
}

// wantFit fails unless a finding can be shown: one line of summary, a severity
// that the rule declares, evidence with source, fact and time, advice with words.
func wantFit(t *testing.T, rule Rule, f report.Finding) {
	t.Helper()
	if f.Summary == "" || strings.ContainsAny(f.Summary, "\n\t") || len(f.Summary) > 600 {
		t.Errorf("%s: summary %q", rule.ID, f.Summary)
	}
	if !strings.Contains(rule.Severity, string(f.Severity)) || f.Severity.Rank() == 0 || f.Impact == "" || f.Impact == report.Unknown {
		t.Errorf("%s: severity %q, impact %q", rule.ID, f.Severity, f.Impact)
	}
	if len(f.Evidence) == 0 || len(f.Evidence) > 40 || len(f.Advice) == 0 || len(f.Advice) > 20 {
		t.Errorf("%s: %d pieces of evidence, %d of advice: %s", rule.ID, len(f.Evidence), len(f.Advice), f.Summary)
	}
	for _, e := range slices.Concat(f.Evidence, f.Against) {
		if e.Source == "" || e.Fact == "" || strings.Contains(e.Fact, "%!") || e.At.IsZero() {
			t.Errorf("%s: evidence %+v", rule.ID, e)
		}
	}
	for _, a := range f.Advice {
		if a.Do == "" || strings.Contains(a.Do+a.Command, "%!") || strings.Contains(a.Command, "\n") {
			t.Errorf("%s: advice %+v", rule.ID, a)
		}
	}
}

// Every rule says what the documentation needs.
func TestStorageRulesDocumented(t *testing.T) {
	for _, r := range storageRules() {
		if len(r.About) < 200 || r.Title == "" || r.Severity == "" || r.Impact == "" || len(r.Do) == 0 || len(r.Needs) == 0 {
			t.Errorf("%s: title %q, severity %q, impact %q, %d steps, needs %q, about %d bytes", r.ID, r.Title, r.Severity, r.Impact, len(r.Do), r.Needs, len(r.About))
		}
		if err := rule.CheckLimits(r.Limits); r.Limits != nil && err != nil {
			t.Errorf("%s: a default is not allowed: %v", r.ID, err)
		}
	}
}
