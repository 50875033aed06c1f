package libvirt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

// bubble runs a test in a bubble with its own time. Pipes are channels, so deadlines
// work without real time passing, and a leaked goroutine fails the test.
func bubble(t *testing.T, f *fakeDaemon, test func(t *testing.T, l *Reader)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := f.reader()
		defer l.Close()
		test(t, l)
	})
}

// readOnce reads with a deadline of 5 s.
func readOnce(t *testing.T, l *Reader) (rbd.Guests, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return l.Read(ctx)
}

// mustRead returns the guests of a reading that must succeed.
func mustRead(t *testing.T, l *Reader) rbd.Guests {
	t.Helper()
	g, err := readOnce(t, l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLibvirtRead(t *testing.T) {
	mixed := fakeVM("vm202", 2, "/dev/rbd0")
	mixed.xml = string(rbdtest.File(t, "vm202-mixed.defined.xml"))
	mixed.params = append(mixed.params[:2:2], param("state.state", int32(3)), param("state.reason", int32(5)),
		param("block.count", uint32(3)), param("block.0.name", "vda"), param("block.0.rd.reqs", uint64(1)),
		param("block.1.name", "vdb"), param("block.1.path", "/dev/rbd0"), param("block.1.wr.reqs", uint64(2)),
		param("block.1.errors", uint64(7)),
		param("block.2.name", "vdc"), param("block.x.name", "no"), param("block.9999999.name", "no"), param("net.0.name", "tap0"))
	busy := fakeVM("busy", 3, "/dev/rbd1")
	busy.params = busy.params[:6] // what libvirt returns without querying QEMU
	f := newVirtFake(fakeVM("zulu", 9, "/dev/rbd/rbd/vm-9-disk-0"), mixed, busy)
	bubble(t, f, func(t *testing.T, l *Reader) {
		l.number = func(path string) (uint32, uint32, bool) { return 254, 16, path == "/dev/rbd1" }
		rbdtest.Golden(t, "libvirt", mustRead(t, l))
		if want := uint32(libvirt.ConnectGetAllDomainsStatsActive | libvirt.ConnectGetAllDomainsStatsNowait); f.flags != want {
			t.Errorf("the statistics were asked for with flags %#x", f.flags)
		}
		if f.asked[listDomains] != 0 {
			t.Error("the list was asked for, though the statistics have it")
		}
	})
}

// The XML is requested once, again when the disks have changed or the domain was
// restarted, and in any case every 30th time; all over one connection.
func TestLibvirtAsksForXMLOnce(t *testing.T) {
	f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"), fakeVM("b", 2, "/dev/rbd2"))
	asked := func() string {
		s := strings.Join(f.xmlOf, " ")
		f.xmlOf = nil
		return s
	}
	bubble(t, f, func(t *testing.T, l *Reader) {
		first := mustRead(t, l)
		if got := asked(); got != "a b" {
			t.Errorf("at first: %q", got)
		}
		if diff := cmp.Diff(first, mustRead(t, l)); diff != "" || asked() != "" {
			t.Errorf("the second time: %s", diff)
		}
		f.domains[1] = fakeVM("b", 2, "/dev/rbd7") // a disk was changed
		if got := mustRead(t, l); asked() != "b" || got.Guests[1].Disks[0].Path != "/dev/rbd7" {
			t.Errorf("a changed disk: got %+v", got)
		}
		f.domains[0].id = 11 // started again
		if mustRead(t, l); asked() != "a" {
			t.Error("a domain that was started again was not asked for")
		}
		f.domains = f.domains[:1]
		if got := mustRead(t, l); len(got.Guests) != 1 || len(l.known) != 1 {
			t.Errorf("a domain that is gone: got %+v, known %d", got, len(l.known))
		}
		asked()
		for range refreshEvery {
			mustRead(t, l)
		}
		if got := asked(); got != "a" || f.dials != 1 {
			t.Errorf("in %d readings: asked for %q, %d connections", refreshEvery, got, f.dials)
		}
	})
}

// Whichever call hangs, Read returns at its deadline and leaks nothing, and the next
// one connects again.
func TestLibvirtHangs(t *testing.T) {
	for _, procedure := range []uint32{authList, connectOpen, getAllStats} {
		f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
		bubble(t, f, func(t *testing.T, l *Reader) {
			f.on(procedure, hang)
			began := time.Now()
			_, err := readOnce(t, l)
			checkErr(t, fmt.Sprint("procedure ", procedure), err, context.DeadlineExceeded)
			if took := time.Since(began); took != 5*time.Second {
				t.Errorf("it took %v", took)
			}
			f.on(procedure, nil)
			if got := mustRead(t, l); len(got.Guests) != 1 || f.dials != 2 {
				t.Errorf("got %+v, %d connections", got, f.dials)
			}
		})
	}
}

// A domain whose XML does not arrive affects only itself: the others are described,
// at the latest in the next reading, and it is not queried for a while.
func TestLibvirtOneDomainHangs(t *testing.T) {
	f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"), fakeVM("stuck", 2, "/dev/rbd2"), fakeVM("z", 3, "/dev/rbd3"))
	bubble(t, f, func(t *testing.T, l *Reader) {
		f.on(getXMLDesc, func(call []byte) ([]byte, bool) {
			d := f.domain(call)
			if d.name == "stuck" {
				return nil, false
			}
			var x fakeXDR
			x.text(d.xml)
			return fakeReply(call, statusOK, x.b), false
		})
		got := mustRead(t, l)
		if want := "stuck: did not answer in time; z: not described yet"; got.Partly != want || len(got.Guests) != 3 {
			t.Errorf("got %+v", got)
		}
		got = mustRead(t, l)
		if want := "stuck: did not answer in time"; got.Partly != want || len(got.Guests[2].Disks) != 1 ||
			got.Guests[1].State != "running" {
			t.Errorf("got %+v", got)
		}
		f.on(getXMLDesc, nil)
		f.xmlOf = nil
		for range askAgain {
			got = mustRead(t, l)
		}
		if got.Partly != "" || len(got.Guests[1].Disks) != 1 || strings.Count(strings.Join(f.xmlOf, " "), "stuck") != 1 {
			t.Errorf("got %+v, asked for %v", got, f.xmlOf)
		}
	})
}

// If the deadline expires in the middle of the first reading, the next one continues
// from there.
func TestLibvirtManyDomains(t *testing.T) {
	f := newVirtFake()
	for i := range 10 {
		f.domains = append(f.domains, fakeVM(fmt.Sprint("vm", i), int32(i+1), "/dev/rbd1"))
	}
	bubble(t, f, func(t *testing.T, l *Reader) {
		f.on(getXMLDesc, func(call []byte) ([]byte, bool) {
			time.Sleep(time.Second) // in the bubble's time
			var x fakeXDR
			x.text(f.domain(call).xml)
			return fakeReply(call, statusOK, x.b), false
		})
		readings := 1
		for ; readings < 10; readings++ {
			if _, err := readOnce(t, l); err == nil {
				break
			}
		}
		if readings > 3 {
			t.Errorf("it took %d readings of 5 s to get 10 descriptions of 1 s", readings)
		}
	})
}

// Data other than the reply to the current call ends the connection, never the
// process: these packets make go-libvirt panic, deadlock, or exhaust the memory.
func TestLibvirtBadPackets(t *testing.T) {
	number := func(n ...uint32) []byte {
		var x fakeXDR
		for _, n := range n {
			x.number(n)
		}
		return x.b
	}
	reply := func(payload []byte) func([]byte) []byte {
		return func(call []byte) []byte { return fakeReply(call, statusOK, payload) }
	}
	patched := func(at int, n uint32) func([]byte) []byte {
		return func(call []byte) []byte {
			p := fakeReply(call, statusOK, number(0))
			binary.BigEndian.PutUint32(p[at:], n)
			return p
		}
	}
	for _, c := range []struct {
		name   string
		packet func(call []byte) []byte
		want   string
	}{
		{"no packet", func([]byte) []byte { return nil }, "EOF"},
		{"a length below a head's", patched(0, 4), "a packet of 4 bytes"},
		{"a length of 0", patched(0, 0), "a packet of 0 bytes"},
		{"a length of 4 GiB", patched(0, 1<<32-1), "a packet of 4294967295 bytes"},
		{"half a packet", func(call []byte) []byte { return fakeReply(call, statusOK, number(0))[:30] }, "EOF"},
		{"another program", patched(4, 1), "no reply"},
		{"a call", patched(16, 0), "no reply"},
		{"another call's serial", patched(20, 99), "no reply"},
		{"a status that there is not", patched(24, 7), "status 7"},
		{"another procedure", patched(12, 3), "procedure 3"},
		{"two answers", func(call []byte) []byte {
			p := fakeReply(call, statusOK, number(1<<30)) // the first is bad as well
			return append(p, p...)
		}, "shorter than"},
		{"more domains than fit", reply(number(1 << 20)), "shorter than"},
		{"all domains there can be", reply(number(1<<31 - 1)), "shorter than"},
		{"a name longer than the packet", reply(number(1, 1<<31-1)), "shorter than"},
		{"more parameters than fit", reply(number(1, 0, 0, 0, 0, 0, 1, 1<<31-1)), "shorter than"},
		{"a parameter of no type", reply(append(number(1, 0, 0, 0, 0, 0, 1, 1, 0, 99, 0, 0), number(0, 0, 0, 0)...)), "shorter than"},
		{"an error with too long a text", func(call []byte) []byte {
			return fakeReply(call, statusError, number(1, 1, 1, 1<<31-1))
		}, "shorter than"},
	} {
		f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
		bubble(t, f, func(t *testing.T, l *Reader) {
			f.on(getAllStats, func(call []byte) ([]byte, bool) { return c.packet(call), true })
			if _, err := readOnce(t, l); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			}
			f.on(getAllStats, nil)
			if got := mustRead(t, l); len(got.Guests) != 1 || got.Partly != "" {
				t.Errorf("%s: after it: got %+v", c.name, got)
			}
		})
	}
}

// Unrequested events and pings are ignored, and a second reply only affects the
// connection.
func TestLibvirtUnasked(t *testing.T) {
	f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
	bubble(t, f, func(t *testing.T, l *Reader) {
		mustRead(t, l)
		f.on(getAllStats, func(call []byte) ([]byte, bool) {
			event := fakeReply(call, statusOK, []byte{0xff, 0xff, 0xff, 0xff})
			binary.BigEndian.PutUint32(event[12:], 318) // a lifecycle event
			binary.BigEndian.PutUint32(event[16:], typeNotice)
			var x fakeXDR
			x.number(0)
			answer := fakeReply(call, statusOK, x.b)
			return append(append(event, answer...), answer...), false
		})
		if got := mustRead(t, l); len(got.Guests) != 0 {
			t.Errorf("got %+v", got)
		}
		f.on(getAllStats, nil)
		synctest.Wait()
		if _, err := readOnce(t, l); err == nil {
			t.Error("the connection lives on after two answers to one call")
		}
		if got := mustRead(t, l); len(got.Guests) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestLibvirtNoSocket(t *testing.T) {
	absent := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ENOENT)}
	denied := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	stale := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, c := range []struct {
		name   string
		errs   []error
		want   error
		refuse error
	}{
		{"no sockets", nil, fs.ErrNotExist, fs.ErrPermission},
		{"none there", []error{absent, absent}, fs.ErrNotExist, fs.ErrPermission},
		{"the second denied", []error{absent, denied}, fs.ErrPermission, fs.ErrNotExist},
		{"the first denied", []error{denied, absent}, fs.ErrPermission, fs.ErrNotExist},
		{"a stale socket", []error{stale, absent}, syscall.ECONNREFUSED, fs.ErrNotExist},
	} {
		l := New(make([]string, len(c.errs)), nil)
		at := 0
		l.dial = func(context.Context, string) (net.Conn, error) { at++; return nil, c.errs[at-1] }
		_, err := l.Read(t.Context())
		checkErr(t, c.name, err, c.want)
		if errors.Is(err, c.refuse) {
			t.Errorf("%s: also %v: %v", c.name, c.refuse, err)
		}
	}
	l := New([]string{t.TempDir() + "/none"}, nil)
	_, err := l.Read(t.Context())
	checkErr(t, "for real", err, fs.ErrNotExist)
}

// The second socket is used if the first does not respond.
func TestLibvirtSecondSocket(t *testing.T) {
	f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
	bubble(t, f, func(t *testing.T, l *Reader) {
		l.sockets = []string{"monolithic", "modular"}
		l.dial = func(ctx context.Context, socket string) (net.Conn, error) {
			if socket == "monolithic" {
				return nil, fs.ErrNotExist
			}
			return f.dial(ctx, socket)
		}
		if got := mustRead(t, l); len(got.Guests) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

// Another installation's daemon that also responds is reported, whenever it was
// started; a socket next to the one in use is not even dialled.
func TestLibvirtSeveralAnswer(t *testing.T) {
	f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
	bubble(t, f, func(t *testing.T, l *Reader) {
		l.sockets = []string{"/run/none/sock-ro", "/run/libvirt/libvirt-sock-ro", "/var/run/libvirt/virtqemud-sock-ro",
			"/var/snap/x/sock-ro", "/var/snap/x/other-ro"}
		dialled, snap := map[string]int{}, false
		l.dial = func(ctx context.Context, socket string) (net.Conn, error) {
			dialled[socket]++
			if strings.Contains(socket, "none") || strings.Contains(socket, "snap") && !snap {
				return nil, fs.ErrNotExist
			}
			return f.dial(ctx, socket)
		}
		if got := mustRead(t, l); got.Partly != "" {
			t.Errorf("one answers: got %q", got.Partly)
		}
		snap = true
		for range refreshEvery {
			mustRead(t, l)
		}
		want := "several libvirt daemons answer: /run/libvirt/libvirt-sock-ro is asked, /var/snap/x/sock-ro is not"
		if got := mustRead(t, l); got.Partly != want || got.Remedy != remedySockets || len(got.Guests) != 1 {
			t.Errorf("got %+v", got)
		}
		if n := dialled["/var/run/libvirt/virtqemud-sock-ro"]; n != 0 {
			t.Errorf("the socket beside was dialled %d times", n)
		}
	})
}

// Denied access is fs.ErrPermission, and the connection is not used again.
func TestLibvirtDenied(t *testing.T) {
	for _, procedure := range []uint32{authList, connectOpen} {
		f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
		bubble(t, f, func(t *testing.T, l *Reader) {
			f.on(procedure, fakeError(libvirt.ErrAuthFailed, "authentication failed"))
			_, err := readOnce(t, l)
			checkErr(t, fmt.Sprint("procedure ", procedure), err, fs.ErrPermission)
			f.on(procedure, nil)
			if mustRead(t, l); f.dials != 2 {
				t.Errorf("%d connections", f.dials)
			}
		})
	}
}

// If the statistics fail, the guests are still known from the list and the XML.
func TestLibvirtNoStatistics(t *testing.T) {
	f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
	bubble(t, f, func(t *testing.T, l *Reader) {
		f.on(getAllStats, fakeError(libvirt.ErrInternalError, "no block statistics"))
		got := mustRead(t, l)
		want := rbd.Guests{
			Guests: []rbd.Guest{{Name: "a", ID: "00000000-0000-0000-0000-000000000001", Kind: "vm",
				Disks: []rbd.Disk{{Target: "vda", Client: rbd.KRBD, Path: "/dev/rbd1"}}}},
			Partly: "libvirt: statistics: no block statistics",
		}
		if diff := cmp.Diff(want, got); diff != "" || f.dials != 1 {
			t.Error(diff)
		}
	})
}

// A domain that cannot be described is still in the list; one that has ended
// meanwhile is not.
func TestLibvirtUndescribed(t *testing.T) {
	bad := fakeVM("bad", 1, "/dev/rbd1")
	bad.xml = "<domain><PLANTED"
	volume := fakeVM("vol", 3, "/dev/rbd1")
	volume.xml = "<domain><name>vol</name><devices><disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk></devices></domain>"
	f := newVirtFake(bad, fakeVM("gone", 2, "/dev/rbd2"), volume)
	bubble(t, f, func(t *testing.T, l *Reader) {
		f.on(getXMLDesc, func(call []byte) ([]byte, bool) {
			if d := f.domain(call); d.name != "gone" {
				var x fakeXDR
				x.text(d.xml)
				return fakeReply(call, statusOK, x.b), false
			}
			return fakeError(libvirt.ErrNoDomain, "Domain not found")(call)
		})
		got := mustRead(t, l)
		want := "bad: domain XML: line 1: not well-formed; vol: a disk is a storage pool volume whose path is not in the domain XML"
		if got.Partly != want || len(got.Guests) != 2 || got.Guests[0].State != "running" {
			t.Errorf("got %+v", got)
		}
	})
}

// The next reading does not change the result of the previous one.
func TestLibvirtReadingsAreValues(t *testing.T) {
	f := newVirtFake(fakeVM("a", 1, "/dev/rbd1"))
	bubble(t, f, func(t *testing.T, l *Reader) {
		first := mustRead(t, l)
		before := fmt.Sprintf("%+v", first)
		f.domains[0] = fakeVM("a", 1, "/dev/rbd2")
		mustRead(t, l)
		if after := fmt.Sprintf("%+v", first); after != before {
			t.Errorf("was %s, is %s", before, after)
		}
	})
}
