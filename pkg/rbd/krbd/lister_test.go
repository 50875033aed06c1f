package krbd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A counting counts which attributes are opened.
type counting struct {
	fstest.MapFS
	opened map[string]int
}

func (c counting) Open(name string) (fs.File, error) {
	c.opened[name[strings.LastIndexByte(name, '/')+1:]]++
	return c.MapFS.Open(name)
}

func mustRead(t *testing.T, l *Lister) []rbd.Mapped {
	t.Helper()
	got, err := l.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// lister returns a Lister that reads the options itself.
func lister(sys fs.FS) *Lister {
	return NewLister(sys, func(context.Context) ([]ClientOptions, error) { return ReadOptions(sys) })
}

// settled returns a Lister that has already read its devices in full.
func settled(t *testing.T, sys fs.FS) *Lister {
	l := lister(sys)
	for range young {
		mustRead(t, l)
	}
	return l
}

func TestListerReadsAgainOnlyWhatItMust(t *testing.T) {
	sys := counting{two(), map[string]int{}}
	l := settled(t, sys)
	for attr, want := range map[string]int{"size": 2 * young, "client_options": 1} {
		if got := sys.opened[attr]; got != want {
			t.Errorf("got %d reads of %s in the first %d calls, want %d", got, attr, young, want)
		}
	}
	want := mustRead(t, l)
	clear(sys.opened)
	for range 10 {
		if diff := cmp.Diff(want, mustRead(t, l)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	// Both devices have the same client, so only one of them is checked.
	if diff := cmp.Diff(map[string]int{"client_id": 10}, sys.opened); diff != "" {
		t.Errorf("opened in ten calls (-want +got):\n%s", diff)
	}
	clear(sys.opened)
	for range renew {
		mustRead(t, l)
	}
	if got := sys.opened["size"]; got != 2 {
		t.Errorf("got %d reads of size in %d calls, want one a device", got, renew)
	}
}

func TestListerSeesChanges(t *testing.T) {
	image := func(m []rbd.Mapped) (names string) {
		for _, m := range m {
			names += fmt.Sprintf("%s=%s by %d %t;", m.Device, m.Image, m.ClientID, m.Options != nil)
		}
		return names
	}
	tests := map[string]struct {
		change func(fstest.MapFS)
		want   string
	}{
		"nothing": {func(fstest.MapFS) {}, "rbd7=vm-101-disk-0 by 4123 true;rbd8=vm-101-disk-0 by 4123 true;"},
		"another image under the same ID and client": {func(sys fstest.MapFS) {
			sys["devices/rbd/8"].Sys = &syscall.Stat_t{Ino: 999}
			sys["devices/rbd/8/name"].Data = []byte("vm-102-disk-0\n")
		}, "rbd7=vm-101-disk-0 by 4123 true;rbd8=vm-102-disk-0 by 4123 true;"},
		"the client connected again": {func(sys fstest.MapFS) {
			sys["devices/rbd/7/client_id"].Data = []byte("client9\n")
			sys["devices/rbd/8/client_id"].Data = []byte("client9\n")
		}, "rbd7=vm-101-disk-0 by 9 false;rbd8=vm-101-disk-0 by 9 false;"},
		"unmapped": {func(sys fstest.MapFS) { delete(sys, devicesDir+"/7") }, "rbd8=vm-101-disk-0 by 4123 true;"},
		"mapped": {func(sys fstest.MapFS) {
			for name, f := range oneDevice(map[string]string{"name": "new"}) {
				sys[strings.NewReplacer("rbd/7", "rbd/9", "devices/7", "devices/9").Replace(name)] = f
			}
			sys[devicesDir+"/9"].Data = []byte("../../../devices/rbd/9")
		}, "rbd7=vm-101-disk-0 by 4123 true;rbd8=vm-101-disk-0 by 4123 true;rbd9=new by 4123 true;"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sys := two()
			l := settled(t, sys)
			before := image(mustRead(t, l))
			if before != tests["nothing"].want {
				t.Fatalf("got %s before", before)
			}
			tt.change(sys)
			if got := image(mustRead(t, l)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if n := strings.Count(tt.want, ";"); len(l.devices) != n {
				t.Errorf("%d devices are remembered, want %d", len(l.devices), n)
			}
		})
	}
}

// On a file system without inode numbers no result is reused.
func TestListerWithoutInodes(t *testing.T) {
	sys := two()
	sys["devices/rbd/8"].Sys = nil
	l := settled(t, sys)
	sys["devices/rbd/8/name"].Data = []byte("other\n")
	if got := mustRead(t, l)[1].Image; got != "other" {
		t.Errorf("got %s, want other", got)
	}
}

// A mapping that is replaced by another while it is read is omitted from this call.
func TestReplacedWhileRead(t *testing.T) {
	sys := replacing{two(), new(int)}
	l := lister(sys)
	if got := mustRead(t, l); len(got) != 1 || got[0].ID != 7 {
		t.Errorf("got %+v, want only rbd7", got)
	}
	if got := mustRead(t, l); len(got) != 2 {
		t.Errorf("got %+v in the call after, want both", got)
	}
}

// A replacing has another mapping with the ID 8 from the second access on.
type replacing struct {
	fstest.MapFS
	looks *int
}

func (r replacing) Stat(name string) (fs.FileInfo, error) {
	if name == devicesDir+"/8" {
		if *r.looks++; *r.looks == 2 {
			r.MapFS["devices/rbd/8"].Sys = &syscall.Stat_t{Ino: 999}
		}
	}
	return r.MapFS.Stat(name)
}

func TestListerStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := lister(two()).Read(ctx); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("got %v, %v, want an error of the context", got, err)
	}
	if got, err := NewIOReader(two()).Read(ctx); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("got %v, %v, want an error of the context", got, err)
	}
}

// Known options stay known while their client is used, even if debugfs or the probe
// fails. Unknown options are requested in each call, once for all clients, and the
// devices are listed meanwhile.
func TestListerAsksForOptionsUntilItKnowsThem(t *testing.T) {
	sys := two()
	var answer []ClientOptions
	var failure error
	asked := 0
	l := NewLister(sys, func(context.Context) ([]ClientOptions, error) { asked++; return answer, failure })
	look := func(want string, calls int) {
		t.Helper()
		asked = 0
		got := mustRead(t, l)
		if len(got) != 2 || got[0].OptionsErr != want || got[1].OptionsErr != want || (got[0].Options != nil) != (want == "") ||
			asked != calls {
			t.Errorf("asked %d times, want %d; got %+v, want %q", asked, calls, got, want)
		}
	}
	failure = fmt.Errorf("probe: %w", context.DeadlineExceeded)
	look("debugfs: did not answer in time", 1)
	failure = fmt.Errorf("probe: rbd: list: %w", fs.ErrPermission)
	look("debugfs: permission denied", 1)
	failure = nil
	look("debugfs has no entry of this client", 1)
	answer = []ClientOptions{{FSID: testFSID, ClientID: 4123, Err: "debugfs: permission denied"},
		{FSID: testFSID, ClientID: 4, Options: &rbd.Options{}}}
	look("debugfs: permission denied", 1)
	answer = []ClientOptions{{FSID: testFSID, ClientID: 4123, Options: &rbd.Options{RxBounce: true}}}
	look("", 1)
	answer, failure = nil, errors.New("the probe is stuck")
	look("", 0)
	if len(l.options) != 1 {
		t.Errorf("remembered: %v", l.options)
	}
	sys["devices/rbd/7/client_id"].Data = []byte("client9\n")
	sys["devices/rbd/8/client_id"].Data = []byte("client9\n")
	look("debugfs: the probe is stuck", 1)
	if len(l.options) != 0 {
		t.Errorf("remembered: %v", l.options)
	}
}
