package bond

import (
	"encoding/binary"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
)

// tcMessage encodes a message about a discipline, class or filter with the options.
func tcMessage(kind string, options ...*nl.RtAttr) []byte {
	all := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	for _, o := range options {
		all.AddChild(o)
	}
	m := (&nl.TcMsg{Ifindex: 7, Handle: 0x10000, Parent: 0xffffffff}).Serialize()
	return append(append(slices.Clone(m), nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated(kind)).Serialize()...), all.Serialize()...)
}

func numbers(list ...uint32) []byte {
	var b []byte
	for _, n := range list {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}

// policeOptions encodes the attribute of a police action with that rate in bytes per second
// and the action for frames that exceed it.
func policeOptions(rate, exceed uint32) *nl.RtAttr {
	v := make([]byte, nl.SizeofTcPolice)
	binary.NativeEndian.PutUint32(v[4:], exceed)
	binary.NativeEndian.PutUint32(v[28:], rate)
	return nl.NewRtAttr(nl.TCA_POLICE_TBF, v)
}

func action(kind string, options *nl.RtAttr) *nl.RtAttr {
	one := nl.NewRtAttr(1, nil)
	one.AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated(kind))
	one.AddRtAttr(nl.TCA_ACT_OPTIONS, nil).AddChild(options)
	return one
}

func nested(typ int, children ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(typ, nil)
	for _, c := range children {
		a.AddChild(c)
	}
	return a
}

func TestRatesOfDisciplinesAndClasses(t *testing.T) {
	const gbit = 125000000 // bytes per second
	long := func(typ int, n uint64) *nl.RtAttr { return nl.NewRtAttr(typ, binary.NativeEndian.AppendUint64(nil, n)) }
	tbf, htb := make([]byte, nl.SizeofTcTbfQopt), make([]byte, nl.SizeofTcHtbCopt)
	binary.NativeEndian.PutUint32(tbf[8:], 2*gbit)
	binary.NativeEndian.PutUint32(htb[8:], gbit)    // the guaranteed rate
	binary.NativeEndian.PutUint32(htb[20:], 3*gbit) // the rate that it never exceeds
	large := slices.Clone(tbf)
	binary.NativeEndian.PutUint32(large[8:], math.MaxUint32)
	netem := tcMessage("netem")
	netem = append(netem[:len(netem)-4], nl.NewRtAttr(nl.TCA_OPTIONS,
		append(make([]byte, nl.SizeofTcNetemQopt), nl.NewRtAttr(nl.TCA_NETEM_RATE, numbers(gbit, 0, 0, 0)).Serialize()...)).Serialize()...)
	for _, c := range []struct {
		what    string
		message []byte
		want    uint64
	}{
		{"tbf", tcMessage("tbf", nl.NewRtAttr(nl.TCA_TBF_PARMS, tbf)), 2e9},
		{"tbf above 34 Gbit/s", tcMessage("tbf", nl.NewRtAttr(nl.TCA_TBF_PARMS, large), long(nl.TCA_TBF_RATE64, 40*gbit)), 40e9},
		{"htb by its ceiling", tcMessage("htb", nl.NewRtAttr(nl.TCA_HTB_PARMS, htb)), 3e9},
		{"hfsc with an upper limit", tcMessage("hfsc", nl.NewRtAttr(1, numbers(0, 0, gbit)), nl.NewRtAttr(3, numbers(0, 0, 4*gbit))), 4e9},
		{"hfsc without one", tcMessage("hfsc", nl.NewRtAttr(1, numbers(0, 0, gbit))), 0},
		{"cake", tcMessage("cake", long(2, gbit)), 1e9},
		{"cake without a rate", tcMessage("cake", long(2, 0)), 0},
		{"netem", netem, 1e9},
		{"fq_codel", tcMessage("fq_codel", nl.NewRtAttr(1, numbers(5000))), 0},
		{"mq", tcMessage("mq"), 0},
		{"a short tbf", tcMessage("tbf", nl.NewRtAttr(nl.TCA_TBF_PARMS, tbf[:20])), 0},
	} {
		q, ok := decodeTC(c.message)
		if got := q.rate(); !ok || got != c.want {
			t.Errorf("%s: got %d bit/s, decoded %v, want %d", c.what, got, ok, c.want)
		}
	}
}

func TestActionsOfFilters(t *testing.T) {
	const gbit, shot, pipe = 125000000, 2, 3
	mirred := func(eaction uint32) *nl.RtAttr {
		return nl.NewRtAttr(2, numbers(0, 0, 0, 0, 0, eaction, 42))
	}
	for _, c := range []struct {
		what      string
		message   []byte
		rates     []uint64
		redirects []int
	}{
		{"police of u32", tcMessage("u32", nested(nl.TCA_U32_POLICE, policeOptions(2*gbit, shot))), []uint64{2e9}, nil},
		{"police action of u32", tcMessage("u32", nested(nl.TCA_U32_ACT, action("police", policeOptions(gbit, shot)))), []uint64{1e9}, nil},
		{"police action of matchall", tcMessage("matchall", nested(2, action("police", policeOptions(gbit, shot)))), []uint64{1e9}, nil},
		{"one that passes all", tcMessage("matchall", nested(2, action("police", policeOptions(gbit, pipe)))), nil, nil},
		{"a redirection to an ifb", tcMessage("matchall", nested(2, action("mirred", mirred(1)))), nil, []int{42}},
		{"a copy", tcMessage("matchall", nested(2, action("mirred", mirred(2)))), nil, nil},
		{"another action", tcMessage("flower", nested(3, action("gact", mirred(1)))), nil, nil},
		{"another kind of filter", tcMessage("unheard-of", nested(2, action("police", policeOptions(gbit, shot)))), nil, nil},
	} {
		f, ok := decodeTC(c.message)
		rates, redirects := f.actions()
		if diff := cmp.Diff(c.rates, rates); !ok || diff != "" {
			t.Errorf("%s: rates, decoded %v (-want +got):\n%s", c.what, ok, diff)
		}
		if diff := cmp.Diff(c.redirects, redirects); diff != "" {
			t.Errorf("%s: redirections (-want +got):\n%s", c.what, diff)
		}
	}
}

// FuzzLimits: any message is decoded without a panic and twice to the same result, and
// no rate exceeds the numbers that JSON can represent.
func FuzzLimits(f *testing.F) {
	f.Add(tcMessage("tbf", nl.NewRtAttr(nl.TCA_TBF_PARMS, make([]byte, nl.SizeofTcTbfQopt))))
	f.Add(tcMessage("htb", nl.NewRtAttr(nl.TCA_HTB_PARMS, make([]byte, nl.SizeofTcHtbCopt)),
		nl.NewRtAttr(nl.TCA_HTB_CEIL64, []byte("12345678"))))
	f.Add(tcMessage("u32", nested(nl.TCA_U32_POLICE, policeOptions(1000, 2))))
	f.Add(tcMessage("matchall", nested(2, action("mirred", nl.NewRtAttr(2, numbers(0, 0, 0, 0, 0, 1, 42))))))
	f.Fuzz(func(t *testing.T, m []byte) {
		a, ok := decodeTC(m)
		b, again := decodeTC(m)
		if ok != again || a.rate() != b.rate() || a.rate() > math.MaxInt64 {
			t.Fatalf("rate %d, then %d", a.rate(), b.rate())
		}
		rates, redirects := a.actions()
		others, more := b.actions()
		if !slices.Equal(rates, others) || !slices.Equal(redirects, more) {
			t.Fatal("other actions the second time")
		}
	})
}

func TestKernelLimits(t *testing.T) {
	h, _ := namespace(t)
	nic := addNIC(t, h, "nic0")
	addNIC(t, h, "nic1")
	must(t, h.LinkSetUp(nic))
	got, err := ReadLimits(t.Context(), []string{"nic0", "gone0"})
	must(t, err)
	if diff := cmp.Diff(Limits{Links: []string{"nic0"}}, got); diff != "" {
		t.Errorf("without a limit (-want +got):\n%s", diff)
	}
	tried := 0
	for _, c := range []struct {
		what     string
		commands []string
		want     []Limit
	}{
		{"tbf", []string{"qdisc add dev nic0 root tbf rate 2gbit burst 1m latency 50ms"}, []Limit{{"nic0", "tx", "tbf", "root", 2e9}}},
		{"htb", []string{
			"qdisc add dev nic0 root handle 1: htb default 10", "class add dev nic0 parent 1: classid 1:10 htb rate 1gbit ceil 2gbit",
		}, []Limit{{"nic0", "tx", "htb", "class 1:10", 2e9}}},
		{"tbf below prio", []string{
			"qdisc add dev nic0 root handle 1: prio", "qdisc add dev nic0 parent 1:1 tbf rate 100mbit burst 64k latency 50ms",
		}, []Limit{{"nic0", "tx", "tbf", "class 1:1", 1e8}}},
		{"police", []string{
			"qdisc add dev nic0 ingress", "filter add dev nic0 parent ffff: protocol ip u32 match u32 0 0 police rate 2gbit burst 1m drop",
		}, []Limit{{"nic0", "rx", "police", "ingress", 2e9}}},
		{"police by clsact", []string{
			"qdisc add dev nic0 clsact", "filter add dev nic0 egress matchall action police rate 1gbit burst 1m conform-exceed drop",
		}, []Limit{{"nic0", "tx", "police", "egress", 1e9}}},
		{"fq_codel", []string{"qdisc add dev nic0 root fq_codel"}, nil},
	} {
		if text := tcCommands(t, c.commands); text != "" {
			t.Logf("%s is not tried: %s", c.what, text)
		} else {
			tried++
			got, err := ReadLimits(t.Context(), []string{"nic0", "nic1"})
			must(t, err)
			if diff := cmp.Diff(Limits{Links: []string{"nic0", "nic1"}, Limits: c.want}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.what, diff)
			}
		}
		tcCommands(t, []string{"qdisc del dev nic0 root"})
		tcCommands(t, []string{"qdisc del dev nic0 ingress"})
		tcCommands(t, []string{"qdisc del dev nic0 clsact"})
	}
	if tried == 0 {
		t.Skip("skipped: this kernel has none of the queueing disciplines")
	}
}

// tcCommands runs tc in the test's namespace and returns the error if it cannot.
func tcCommands(t *testing.T, commands []string) string {
	t.Helper()
	tc, err := exec.LookPath("tc")
	if err != nil {
		t.Skip("skipped: no tc here")
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(t.Context(), tc, strings.Fields(c)...).CombinedOutput(); err != nil {
			return strings.TrimSpace(string(out))
		}
	}
	return ""
}
