package ceph

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRequest(t *testing.T) {
	want := Request{
		Conf: "/etc/ceph/ceph.conf", MonHost: "192.0.2.11", Cluster: "ceph", Name: "client.nodewatch", Keyring: "/etc/nodewatch/keyring",
		Images: []Image{{"vms", "", "vm-101-disk-0"}, {"vms", "blue", "a"}}, Addrs: []string{"192.0.2.7", "2001:db8::7"},
		Timeout: 8 * time.Second,
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRequest(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestParseRequestRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "EOF"},
		{`{"key":"secret"}`, "unknown field"},
		{`{} {}`, "more than one document"},
		{`{"name":"nodewatch"}`, "must have the form client.nodewatch"},
		{`{"conf":"a\u0000b"}`, "zero byte"},
		{`{"timeout":1}`, "not within"},
		{`{"timeout":-1}`, "not within"},
		{`{"timeout":3600000000000}`, "not within"},
		{`{"conf":"` + strings.Repeat("x", MaxRequest) + `"}`, "more than 32768 bytes"},
	}
	for _, tt := range tests {
		_, err := ParseRequest([]byte(tt.in))
		if err == nil || !strings.HasPrefix(err.Error(), "ceph: request: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: want an error with %q, got %v", tt.in, tt.want, err)
		}
	}
}

func TestFit(t *testing.T) {
	good := Request{Name: "client.x", Timeout: time.Minute, Images: []Image{{"vms", "", "a"}}, Addrs: []string{"192.0.2.7:0/9"}}
	mixed := good
	mixed.Images = []Image{{"vms", "", ""}, {"vms", "", "a"}, {"vms", "", "a@b"}, {"", "", "a"}, {"vms", "n\x00", "a"}}
	mixed.Addrs = []string{"node2", "192.0.2.7:0/9", ""}
	fit, odd := mixed.Fit()
	if diff := cmp.Diff(good, fit); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	want := []string{
		`"vms/" is not a valid image name`, `"vms/a@b" is not a valid image name`, `"/a" is not a valid image name`,
		`"vms/n\x00/a" is not a valid image name`, `"node2" is not an address`, `"" is not an address`,
	}
	if diff := cmp.Diff(want, odd); diff != "" {
		t.Errorf("odd (-want +got):\n%s", diff)
	}
}

func TestParseImage(t *testing.T) {
	for in, want := range map[string]Image{
		"vms/vm-101-disk-0": {"vms", "", "vm-101-disk-0"},
		"vms/blue/disk 1":   {"vms", "blue", "disk 1"},
	} {
		if got, err := ParseImage(in); err != nil || got != want || got.String() != in {
			t.Errorf("%q: want %+v, got %+v, %v", in, want, got, err)
		}
	}
	for _, bad := range []string{"", "a", "/", "a/", "/b", "a//b", "a/b/", "a/b/c/d", "a/b@c", "a/b\x00"} {
		if got, err := ParseImage(bad); err == nil {
			t.Errorf("%q: want an error, got %+v", bad, got)
		}
	}
}

// Each image is queried in turn, no run queries more than the limit, and none queries
// an image twice.
func TestTurn(t *testing.T) {
	for _, n := range []int{0, 1, MaxImages, MaxImages + 1, 78} {
		var images []Image
		for i := range n {
			images = append(images, Image{Pool: "vms", Name: fmt.Sprint(i)})
		}
		seen, from := map[Image]bool{}, 0
		for range n/MaxImages + 1 {
			var turn []Image
			turn, from = Turn(images, from)
			asked := map[Image]bool{}
			for _, i := range turn {
				seen[i], asked[i] = true, true
			}
			if len(turn) > MaxImages || len(asked) != len(turn) {
				t.Errorf("%d images: a turn of %d, %d different", n, len(turn), len(asked))
			}
		}
		if len(seen) != n {
			t.Errorf("%d images: only %d had their turn", n, len(seen))
		}
	}
	if turn, _ := Turn(make([]Image, 78), 99); len(turn) != MaxImages {
		t.Errorf("from a position that is gone: want %d images, got %d", MaxImages, len(turn))
	}
}

func TestFailure(t *testing.T) {
	tests := []struct {
		code   int
		stderr string
		want   string
	}{
		{ExitFailed, "nodewatch-ceph: connect: rados: ret=-13, Permission denied\nmore\n",
			"ceph: connect: rados: ret=-13, Permission denied"},
		{ExitAlarm, "nodewatch-ceph: timed out after 10s: connect\n", "ceph: timed out after 10s: connect"},
		{ExitFailed, "server name not found: mon1\nnodewatch-ceph: connect: rados: ret=-22\n", "ceph: connect: rados: ret=-22"},
		{ExitFailed, "panic: x\ngoroutine 1\n", "ceph: panic: x"},
		{ExitAlarm, "", "ceph: nodewatch-ceph ended with exit code 3"},
		{ExitWithout, "anything", ErrWithout.Error()},
		{-1, "\x1b[31m", "ceph: ?[31m"},
	}
	for _, tt := range tests {
		if err := Failure(tt.code, []byte(tt.stderr)); err == nil || err.Error() != tt.want {
			t.Errorf("%d %q: want %q, got %v", tt.code, tt.stderr, tt.want, err)
		}
	}
	if err := Failure(ExitOK, []byte("x")); err != nil {
		t.Errorf("want no error, got %v", err)
	}
	err := Failure(ExitDenied, []byte("nodewatch-ceph: connect as client.nodewatch: rados: ret=-13, Permission denied\n"))
	if !errors.Is(err, fs.ErrPermission) || err.Error() != "ceph: connect as client.nodewatch: rados: ret=-13, Permission denied" {
		t.Errorf("want a permission error, got %v", err)
	}
	if !errors.Is(Failure(ExitWithout, nil), errors.ErrUnsupported) {
		t.Error("a child without librados is not told as unsupported")
	}
}
