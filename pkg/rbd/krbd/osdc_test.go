package krbd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// osdcSample has a line of every kind that the kernel writes.
const osdcSample = `REQUESTS 6 homeless 1
27	osd1	1.7231e355	1.5	[1]/1	[1]/1	e10	rbd_data.1018b972e385.0000000000000000	0x40001c	576	read
28	osd12	3.7231e355	3.5s2	[1,2147483647,3]/1	[1,2,3]/1	e10	tenant/rbd_data.3.1018b972e385.00000000000000ff	0x40001c	P	2	set-alloc-hint,write
606	osd1	1.ee7dc735	1.5	[1]/1	[1]/1	e10	rbd_header.1018b972e385	0x400024	1	watch-reconnect
607	osd1	1.ee7dc735	1.5	[1]/1	[1]/1	e10	rbd_object_map.1018b972e385	0x400024	1	call-lock/assert_locked,call-rbd/object_map_update
608	osd1	1.ee7dc735	1.5	[1]/1	[1]/1	e10	e9	0x1	1	read
609	osd-1	1.ee7dc735	1.5	[]/-1	[]/-1	e10	0x12	0x1	0	stat
LINGER REQUESTS
18446462598732840961	osd1	1.ee7dc735	1.5	[1]/1	[1]/1	e10	rbd_header.1018b972e385	0x20	575	WC/0
18446462598732840962	osd-1	1.ee7dc735	1.5	[]/-1	[]/-1	e10	ns/rbd_header.10	0x20	P	0	W/-107
BACKOFFS
osd1	1.5	3	1:ac7ce777:::rbd_data.1018.00:head	1:ac7ce777:::rbd_data.1018.01:head
`

func TestParseOSDC(t *testing.T) {
	got, err := ParseOSDC(strings.NewReader(osdcSample))
	if err != nil {
		t.Fatal(err)
	}
	want := rbd.Pending{Total: 6, Homeless: 1, Lingers: 2, Backoffs: 1, Requests: []rbd.Request{
		{TID: 27, OSD: 1, Object: "rbd_data.1018b972e385.0000000000000000", Attempts: 576, Ops: "read"},
		{TID: 28, OSD: 12, Object: "tenant/rbd_data.3.1018b972e385.00000000000000ff", Attempts: 2, Ops: "set-alloc-hint,write",
			Paused: true},
		{TID: 606, OSD: 1, Object: "rbd_header.1018b972e385", Attempts: 1, Ops: "watch-reconnect"},
		{TID: 607, OSD: 1, Object: "rbd_object_map.1018b972e385", Attempts: 1, Ops: "call-lock/assert_locked,call-rbd/object_map_update"},
		{TID: 608, OSD: 1, Object: "e9", Attempts: 1, Ops: "read"},
		{TID: 609, OSD: -1, Object: "0x12", Ops: "stat"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, r := range got.Requests[:4] {
		if r.Image() != "1018b972e385" {
			t.Errorf("%s is of the image %q", r.Object, r.Image())
		}
	}
}

// Each line that deviates from the kernel's format is counted, and no other line.
func TestMalformedLines(t *testing.T) {
	good := "27	osd1	1.7	1.5	[1]/1	[1]/1	e10	rbd_data.1.0	0x1c	3	read"
	replace := func(field int, with string) string {
		f := strings.Split(good, "\t")
		f[field] = with
		return strings.Join(f, "\t")
	}
	bad := []string{
		"", " ", "27", "LINGER", replace(0, ""), replace(0, "-1"), replace(0, "18446744073709551616"),
		replace(1, "osd"), replace(1, "osd-2"), replace(1, "mon1"), replace(1, "osd2147483648"), replace(4, ""), replace(5, "1"),
		replace(6, "10"), replace(7, ""), replace(8, "1c"), replace(9, ""), replace(9, "-3"), replace(9, "2147483648"), replace(9, "P"),
		replace(10, ""), strings.TrimSuffix(good, "\tread"), strings.TrimSuffix(good, "\t3\tread"), good[:20],
		replace(7, strings.Repeat("x", osdcMaxLine)), strings.Repeat("y", 10*osdcMaxLine),
	}
	for _, line := range bad {
		got, err := ParseOSDC(strings.NewReader("REQUESTS 2 homeless 0\n" + line + "\n" + good + "\nLINGER REQUESTS\nBACKOFFS\n"))
		if err != nil || got.Malformed != 1 || len(got.Requests) != 1 || got.Total != 2 {
			t.Errorf("%.80q: got %+v, %v, want one malformed line and one request", line, got, err)
		}
	}
	long := bufio.NewReaderSize(strings.NewReader("REQUESTS 2 homeless 0\n"+replace(7, strings.Repeat("x", osdcMaxLine))), 10*osdcMaxLine)
	if got, err := ParseOSDC(long); err != nil || got.Malformed != 1 {
		t.Errorf("got %+v, %v of a reader that takes longer lines, want one malformed line", got, err)
	}
	got, err := ParseOSDC(strings.NewReader("REQUESTS 0 homeless 0\nLINGER REQUESTS\n1\tosd1\nx\nBACKOFFS\nosd1\t1.5\nmon1\ta\t1\tb\tc\nosd1\ta\tx\tb\tc"))
	if err != nil || got.Malformed != 5 || got.Lingers+got.Backoffs != 0 {
		t.Errorf("got %+v, %v, want five malformed lines", got, err)
	}
}

func TestNotOSDC(t *testing.T) {
	for _, text := range []string{"", "\n", "have monmap 1\n", "REQUESTS 1\n", "REQUESTS -1 homeless 0\n",
		"REQUESTS 1 homeless 4294967296\n", strings.Repeat("R", 2*osdcMaxLine)} {
		if got, err := ParseOSDC(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q: got %+v, want an error", text, got)
		}
	}
	for _, text := range []string{"", osdcSample[:100]} {
		broken := io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.ErrUnsupported))
		if got, err := ParseOSDC(broken); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("after %.20q: got %+v, %v, want the error of the read", text, got, err)
		}
	}
}

// Total is the kernel's number, or the number of lines if that is larger.
func TestTotal(t *testing.T) {
	one := strings.SplitAfter(osdcSample, "\n")[1]
	for header, want := range map[string]int{"REQUESTS 9 homeless 0\n": 9, "REQUESTS 1 homeless 0\n": 2,
		"REQUESTS 2147483647 homeless 0\n": 1<<31 - 1} {
		if got, err := ParseOSDC(strings.NewReader(header + one + one)); got.Total != want || err != nil {
			t.Errorf("%q: got %d, %v, want %d", header, got.Total, err, want)
		}
	}
}

// osdcText writes p as the kernel would.
func osdcText(p rbd.Pending) []byte {
	b := fmt.Appendf(nil, "REQUESTS %d homeless %d\n", p.Total, p.Homeless)
	const target = "1.5\t1.5\t[1]/1\t[1]/1\te1"
	for _, r := range p.Requests {
		paused := map[bool]string{true: "\tP"}[r.Paused]
		b = fmt.Appendf(b, "%d\tosd%d\t%s\t%s\t0x1%s\t%d\t%s\n", r.TID, r.OSD, target, r.Object, paused, r.Attempts, r.Ops)
	}
	b = append(b, "LINGER REQUESTS\n"...)
	for range p.Lingers {
		b = append(b, "1\tosd1\t"+target+"\to\t0x1\t1\tWC/0\n"...)
	}
	b = append(b, "BACKOFFS\n"...)
	for range p.Backoffs {
		b = append(b, "osd1\t1.5\t1\ta\tb\n"...)
	}
	return b
}

// Of many requests the most often sent are kept, then the older ones, and always the
// oldest.
func TestRequestsAreBounded(t *testing.T) {
	var all []rbd.Request
	for i := range 5000 {
		all = append(all, rbd.Request{TID: uint64(1000 + i), OSD: 1, Object: "rbd_data.1.0", Attempts: 1 + i%7, Ops: "read"})
	}
	all[0].Attempts = 0
	var want []rbd.Request
	want = append(want, all[0])
	for _, r := range all[:63*7+7] {
		if r.Attempts == 7 && len(want) < osdcMaxRequests {
			want = append(want, r)
		}
	}
	for _, order := range []string{"as made", "backwards", "mixed"} {
		switch order {
		case "backwards":
			slices.Reverse(all)
		case "mixed":
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		got, err := ParseOSDC(bytes.NewReader(osdcText(rbd.Pending{Total: len(all), Requests: all})))
		if diff := cmp.Diff(want, got.Requests); diff != "" || got.Total != len(all) || got.Malformed != 0 || err != nil {
			t.Errorf("%s: %d of %d, %v (-want +got):\n%s", order, got.Total, len(all), err, diff)
		}
	}
}

// FuzzParseOSDC: for any text, at most 64 requests are kept, by TID; the counts are
// consistent; the formatted result is parsed to the same and passes through JSON
// unchanged.
func FuzzParseOSDC(f *testing.F) {
	f.Add([]byte(osdcSample))
	for _, scenario := range scenarios {
		for head, text := range readSections(f, filepath.Join("testdata", scenario, "sys-kernel-debug-ceph.txt")) {
			if strings.HasSuffix(head, "/osdc") {
				f.Add([]byte(text))
			}
		}
	}
	many := rbd.Pending{Total: 70}
	for i := range 70 {
		many.Requests = append(many.Requests, rbd.Request{TID: uint64(i % 66), Object: "o", Attempts: i % 3, Ops: "read"})
	}
	f.Add(osdcText(many))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseOSDC(bytes.NewReader(text))
		if err != nil {
			if diff := cmp.Diff(rbd.Pending{}, p); diff != "" {
				t.Fatalf("an error and a value:\n%s", diff)
			}
			return
		}
		lines := bytes.Count(text, []byte("\n")) + 1
		if len(p.Requests) > osdcMaxRequests || len(p.Requests) > p.Total || p.Total > 1<<31-1 || p.Malformed+p.Lingers+p.Backoffs > lines {
			t.Fatalf("%d requests of %d, %d malformed of %d lines", len(p.Requests), p.Total, p.Malformed, lines)
		}
		if !slices.IsSortedFunc(p.Requests, osdcByTID) {
			t.Fatalf("not sorted: %+v", p.Requests)
		}
		rendered := osdcText(p)
		for line := range bytes.Lines(rendered) {
			if len(line) >= osdcMaxLine { // a replacement character is longer than the original byte
				return
			}
		}
		again, err := ParseOSDC(bytes.NewReader(rendered))
		again.Malformed = p.Malformed
		if diff := cmp.Diff(p, again); diff != "" || err != nil {
			t.Fatalf("%v (-first +second):\n%s", err, diff)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var told rbd.Pending
		if err := json.Unmarshal(b, &told); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, told); diff != "" {
			t.Fatalf("(-parsed +told):\n%s", diff)
		}
	})
}

func BenchmarkParseOSDC(b *testing.B) {
	p := rbd.Pending{Total: 2000}
	for i := range 2000 {
		p.Requests = append(p.Requests, rbd.Request{TID: uint64(i), Object: "rbd_data.1018b972e385.0000000000000000", Attempts: i % 500,
			Ops: "read"})
	}
	text := osdcText(p)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if p, err := ParseOSDC(bytes.NewReader(text)); err != nil || p.Total != 2000 {
			b.Fatal(p, err)
		}
	}
}
