package bond

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// reading returns a Reader that has read the sample's links.
func (s sample) reading() *Reader {
	r := &Reader{sys: s.sys, meters: map[int]*meter{}}
	r.remember(linksOf(s.links, nil, s.sys))
	return r
}

// speedOf returns the speed that a NIC of a sample reported.
func speedOf(t *testing.T, sample, nic string) int {
	t.Helper()
	_, text, _ := strings.Cut(string(readFile(t, "testdata/dumps/"+sample+"/sys-class-net-"+nic)), "\nspeed:")
	text, _, _ = strings.Cut(text, "\n")
	speed, err := strconv.Atoi(text)
	if err != nil || speed <= 0 {
		t.Fatalf("%s: %s has speed %q", sample, nic, text)
	}
	return speed
}

func TestCountersOfSamples(t *testing.T) {
	for _, s := range samples(t) {
		r := s.reading()
		got, err := r.Counters(t.Context(), []int{3, 2})
		speed := speedOf(t, s.name, "eth0")
		if err != nil || len(got) != 2 || got[0].Name != "eth1" || got[1].Name != "eth0" || got[1].Index != 2 || got[1].Speed != speed {
			t.Fatalf("%s: got %+v, %v, want eth1 and eth0 at %d Mbit/s", s.name, got, err, speed)
		}
		for _, c := range got {
			file := string(readFile(t, "testdata/dumps/"+s.name+"/sys-class-net-"+c.Name))
			for _, want := range statistics {
				_, text, ok := strings.Cut(file, "statistics/"+want.file+":")
				text, _, _ = strings.Cut(text, "\n")
				if n := *want.field(&c); !ok || text != strconv.FormatUint(n, 10) {
					t.Errorf("%s: %s: %s is %d, want %s", s.name, c.Name, want.file, n, text)
				}
			}
		}
		r.Close()
	}
}

func TestCountersLeaveOutWhatIsGone(t *testing.T) {
	s := samples(t)[0]
	r := s.reading()
	defer r.Close()
	if got, err := r.Counters(t.Context(), []int{99, 2}); err != nil || len(got) != 1 || got[0].Index != 2 {
		t.Errorf("an index never found: got %v, %v, want eth0 alone", got, err)
	}
	s.sys["class/net/eth1/ifindex"] = &fstest.MapFile{Data: []byte("77\n")}
	if got, err := r.Counters(t.Context(), []int{2, 3}); err != nil || len(got) != 1 || got[0].Index != 2 {
		t.Errorf("a name that is another link's now: got %v, %v, want eth0 alone", got, err)
	}
	delete(s.sys, "class/net/eth1/statistics/rx_packets")
	if got, err := r.Counters(t.Context(), []int{2, 3}); err != nil || len(got) != 1 || got[0].Index != 2 {
		t.Errorf("a link whose files are gone: got %v, %v, want eth0 alone", got, err)
	}
	r.remember(Links{})
	if got, err := r.Counters(t.Context(), []int{2, 3}); err != nil || len(got) != 0 || len(r.meters) != 0 {
		t.Errorf("links gone: got %v, %v and %d meters, want none", got, err, len(r.meters))
	}
}

func TestCountersOfManyLinks(t *testing.T) {
	files, l := map[string]string{}, Links{}
	for i := 1; i <= keepOpen+10; i++ {
		name := fmt.Sprint("vf", i)
		l.NICs = append(l.NICs, NIC{Name: name, Index: i})
		files[name+"/ifindex"] = strconv.Itoa(i)
		for _, s := range statistics {
			files[name+"/statistics/"+s.file] = strconv.Itoa(i)
		}
	}
	r := &Reader{sys: sysTree(files), meters: map[int]*meter{}}
	defer r.Close()
	r.remember(l)
	for range 2 {
		got, err := r.Counters(t.Context(), l.Indexes())
		if err != nil || len(got) != keepOpen+10 || got[keepOpen+9].RxNoHandler != keepOpen+10 || len(r.meters) != keepOpen {
			t.Errorf("got those of %d links, %v, %d stay open; want all, and %d", len(got), err, len(r.meters), keepOpen)
		}
	}
}

func TestCountersOfOldKernels(t *testing.T) {
	s := samples(t)[0]
	delete(s.sys, "class/net/eth0/statistics/rx_nohandler")
	s.sys["class/net/eth0/statistics/rx_missed_errors"] = &fstest.MapFile{Data: []byte("18446744073709551615\n")}
	r := s.reading()
	defer r.Close()
	got, err := r.Counters(t.Context(), []int{2})
	if err != nil || len(got) != 1 || got[0].RxMissed != 1<<64-1 || got[0].RxPackets == 0 {
		t.Errorf("got %+v, %v, want the largest number of missed frames", got, err)
	}
}

func TestCountersThatCannotBeRead(t *testing.T) {
	s := samples(t)[0]
	if _, err := (&Reader{sys: s.sys}).Counters(t.Context(), []int{2}); err == nil {
		t.Error("before the first Read: no error")
	}
	r := s.reading()
	r.sys = fstest.MapFS{}
	if got, err := r.Counters(t.Context(), []int{2}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without sysfs: got %v, %v, want an error", got, err)
	}
	s.sys["class/net/eth0/statistics/rx_bytes"] = &fstest.MapFile{Data: []byte("many\n")}
	if got, err := s.reading().Counters(t.Context(), []int{2}); err == nil {
		t.Errorf("no number: got %v and no error", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.reading().Counters(ctx, []int{2}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: got %v", err)
	}
	for _, err := range []error{unix.ENODEV, unix.EINVAL, &fs.PathError{Err: unix.ENOENT}} {
		if !gone(err) {
			t.Errorf("%v does not count as gone", err)
		}
	}
	if gone(nil) || gone(unix.EMFILE) {
		t.Error("no error, or too many files, counts as gone")
	}
}

// TestCountersOfThisMachine reads the loopback twice: the open files return new
// numbers.
func TestCountersOfThisMachine(t *testing.T) {
	sys := os.DirFS("/sys")
	index := (sysfs{sys}).text("lo", "ifindex")
	if index == "" {
		t.Skip("skipped: no /sys/class/net/lo here")
	}
	r := &Reader{sys: sys, meters: map[int]*meter{}}
	defer r.Close()
	lo, err := strconv.Atoi(index)
	if err != nil {
		t.Fatal(err)
	}
	r.remember(Links{NICs: []NIC{{Name: "lo", Index: lo}}})
	read := func() Counters {
		t.Helper()
		got, err := r.Counters(t.Context(), []int{lo})
		if err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v, want one link", got, err)
		}
		return got[0]
	}
	before := read()
	c, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Skipf("skipped: no loopback address here: %v", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("datagram")); err != nil {
		t.Fatal(err)
	}
	after := read()
	if after.RxBytes <= before.RxBytes || after.TxPackets <= before.TxPackets {
		t.Errorf("after a datagram over lo: %+v, before: %+v", after, before)
	}
}
