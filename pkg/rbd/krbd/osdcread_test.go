package krbd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// osdcHost returns a host with the given clients' osdc, by number.
func osdcHost(clients map[int]string) fstest.MapFS {
	sys := oneDevice(nil)
	for n, text := range clients {
		addFile(sys, fmt.Sprintf("%s/%s.client%d/osdc", debugfs, testFSID, n), text, false)
	}
	return sys
}

func osdcPending(client int, p rbd.Pending) rbd.Pending {
	p.FSID, p.ClientID = testFSID, uint64(client)
	return p
}

func TestReadPending(t *testing.T) {
	sys := osdcHost(map[int]string{
		9: "REQUESTS 0 homeless 0\nLINGER REQUESTS\nBACKOFFS\n", 10: osdcSample, 11: "", 12: "have monmap 1\n",
		13: "REQUESTS 1 homeless 1\n",
	})
	for _, name := range []string{"x.client1", testFSID, testFSID + ".client", testFSID + ".clientx", testFSID + ".10"} {
		addFile(sys, debugfs+"/"+name+"/osdc", osdcSample, false)
	}
	addFile(sys, debugfs+"/"+testFSID+".client14/osdc", osdcSample, false) // of CephFS
	addFile(sys, debugfs+"/"+testFSID+".client14/mdsc", "", false)
	addFile(sys, debugfs+"/"+testFSID+".client15/monc", "", false) // without osdc: being removed
	got, err := ReadPending(guard{sys, t})
	if err != nil {
		t.Fatal(err)
	}
	sample, _ := ParseOSDC(strings.NewReader(osdcSample))
	want := []rbd.Pending{
		osdcPending(9, rbd.Pending{}), osdcPending(10, sample),
		osdcPending(11, rbd.Pending{Partly: "rbd: osdc does not start with REQUESTS"}),
		osdcPending(12, rbd.Pending{Partly: "rbd: osdc does not start with REQUESTS"}),
		osdcPending(13, rbd.Pending{Total: 1, Homeless: 1}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An osdcFailing is an osdc that cannot be read to its end.
type osdcFailing struct {
	fstest.MapFS
	client string
	err    error
}

func (f osdcFailing) Open(name string) (fs.File, error) {
	file, err := f.MapFS.Open(name)
	if err == nil && strings.HasSuffix(name, f.client+"/osdc") {
		return osdcBroken{file, f.err}, nil
	}
	return file, err
}

type osdcBroken struct {
	fs.File
	err error
}

func (b osdcBroken) Read([]byte) (int, error) { return 0, b.err }

// A file that may be opened but not read, as under lockdown, is an error.
func TestReadingDenied(t *testing.T) {
	got, err := ReadPending(osdcFailing{osdcHost(map[int]string{1: "x"}), "client1", syscall.EPERM})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, %v, want an error of permission", got, err)
	}
}

// One client that cannot be read does not affect the others; a removed one is
// omitted.
func TestOneClientFails(t *testing.T) {
	const idle = "REQUESTS 0 homeless 0\n"
	for _, tt := range []struct {
		err  error
		want []rbd.Pending
	}{
		{syscall.EIO, []rbd.Pending{osdcPending(2, rbd.Pending{})}}, // debugfs: removed while open
		{syscall.ENOMEM, []rbd.Pending{osdcPending(1, rbd.Pending{Partly: "cannot allocate memory"}), osdcPending(2, rbd.Pending{})}},
	} {
		got, err := ReadPending(osdcFailing{osdcHost(map[int]string{1: idle, 2: idle}), "client1", tt.err})
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%v: %v (-want +got):\n%s", tt.err, err, diff)
		}
	}
}

func TestDebugfsIsNotMounted(t *testing.T) {
	sys := oneDevice(nil)
	maps.DeleteFunc(sys, func(name string, _ *fstest.MapFile) bool { return strings.HasPrefix(name, debugfs) })
	if got, err := ReadPending(sys); err == nil || !strings.Contains(err.Error(), "not mounted") {
		t.Errorf("with a device: got %v, %v, want that debugfs is not mounted", got, err)
	}
	delete(sys, devicesDir+"/7")
	if got, err := ReadPending(sys); err != nil || len(got) > 0 {
		t.Errorf("without a device: got %v, %v, want nothing", got, err)
	}
}

func TestPendingIsBounded(t *testing.T) {
	clients := map[int]string{}
	for n := range osdcMaxListed + 5 {
		p := rbd.Pending{Total: n % 3}
		if n < 100 { // these are the worst, the last most of all
			p.Total = 100
			for i := range 100 {
				p.Requests = append(p.Requests, rbd.Request{TID: uint64(i), Object: "o", Attempts: n + i, Ops: "read"})
			}
		}
		clients[1+n] = string(osdcText(p))
	}
	sys := counting{osdcHost(clients), map[string]int{}}
	got, err := ReadPending(sys)
	if read := sys.opened["osdc"] - 1; err != nil || read != osdcMaxListed { // oneDevice's client has none
		t.Fatalf("%d clients were read, %v, want %d", read, err, osdcMaxListed)
	}
	requests, read := 0, osdcMaxListed
	for i, p := range got {
		requests += len(p.Requests)
		if p.Total != 100 || len(p.Requests) != osdcMaxTotal/osdcMaxClients || p.Requests[0].TID != 0 {
			t.Errorf("client %d: %d requests of %d", p.ClientID, len(p.Requests), p.Total)
		}
		if i > 0 && p.ClientID <= got[i-1].ClientID {
			t.Errorf("client %d follows %d", p.ClientID, got[i-1].ClientID)
		}
	}
	if len(got) != osdcMaxClients || requests > osdcMaxTotal || got[0].LeftOut != read+5-osdcMaxClients {
		t.Errorf("got %d clients, %d requests, %d left out", len(got), requests, got[0].LeftOut)
	}
	if last := got[len(got)-1].ClientID; last != 100 {
		t.Errorf("the last client is %d, want 100, the one that fares worst", last)
	}
}

// For a file that is too long, its beginning is reported, and no line is cut.
func TestLongFile(t *testing.T) {
	line := strings.SplitAfter(osdcSample, "\n")[1]
	text := "REQUESTS 99999 homeless 0\n" + strings.Repeat(line, osdcMaxFile/len(line)+100)
	got, err := ReadPending(osdcHost(map[int]string{1: text}))
	if err != nil || len(got) != 1 {
		t.Fatalf("got %d clients, %v", len(got), err)
	}
	if p := got[0]; !p.Truncated || p.Malformed != 0 || p.Total != 99999 || len(p.Requests) != osdcMaxRequests {
		t.Errorf("truncated %t, %d malformed, %d of %d", p.Truncated, p.Malformed, len(p.Requests), p.Total)
	}
	whole := append([]byte("REQUESTS 1 homeless 0\n"), bytes.Repeat([]byte(strings.Repeat("x", 999)+"\n"), osdcMaxFile/1000)...)[:osdcMaxFile]
	whole[osdcMaxFile-1] = '\n'
	if got, err := ReadPending(osdcHost(map[int]string{1: string(whole)})); err != nil || got[0].Truncated || len(whole) != osdcMaxFile {
		t.Errorf("a file of %d bytes: %v, %v", len(whole), got[0].Truncated, err)
	}
}
