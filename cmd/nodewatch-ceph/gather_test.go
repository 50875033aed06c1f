package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/ceph"
)

// A fake cluster returns recorded responses of a real one, by the command's prefix.
type fake struct {
	answers map[string]string
	asked   []string
	clock   *time.Duration // time left
	takes   time.Duration  // time that each response takes
}

func newFake(t *testing.T) *fake {
	t.Helper()
	left := ceph.DefaultTimeout
	f := &fake{answers: map[string]string{"pg stat": "pg-stat-scrub", "health": "health-slow", "osd dump": "osd-dump",
		"mgr stat": "mgr-stat"}, clock: &left}
	for prefix, name := range f.answers {
		b, err := os.ReadFile("../../pkg/ceph/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		f.answers[prefix] = string(b)
	}
	return f
}

func (f *fake) answer(command string) ([]byte, error) {
	prefix := strings.Split(command, `"`)[3]
	f.asked = append(f.asked, prefix)
	*f.clock -= f.takes
	said, ok := f.answers[prefix]
	if !ok {
		return nil, errors.New("no answer")
	}
	return []byte(said), nil
}

func (f *fake) fsid() (string, error)                  { return "db1359b9-14f2-4140-90ca-11e6592bccc7", nil }
func (f *fake) release() string                        { return "3.0.0" }
func (f *fake) monitor(command string) ([]byte, error) { return f.answer(command) }
func (f *fake) manager(command string) ([]byte, error) { return f.answer(command) }
func (f *fake) reach(string)                           {}
func (f *fake) left() time.Duration                    { return *f.clock }
func (f *fake) gather(req ceph.Request) ceph.Cluster   { return gather(f, req, f.reach, f.left) }
func image(name string) ceph.Image                     { return ceph.Image{Pool: "vms", Name: name} }
func request(images ...ceph.Image) ceph.Request {
	return ceph.Request{Images: images, Timeout: ceph.DefaultTimeout}
}
func (f *fake) watchers(i ceph.Image) ([]ceph.Watcher, error) {
	*f.clock -= f.takes
	f.asked = append(f.asked, i.Name)
	switch {
	case strings.HasPrefix(i.Name, "bad"):
		return nil, errors.New("open: no such image")
	case strings.HasPrefix(i.Name, "idle"):
		return nil, nil
	}
	return []ceph.Watcher{{Pool: i.Pool, Image: i.Name, Addr: "192.0.2.7:0/9", ClientID: 4, Cookie: 1}}, nil
}

func TestGather(t *testing.T) {
	f := newFake(t)
	req := request(image("used"), image("bad"), image("idle"))
	req.Addrs = []string{"192.0.2.8", "198.51.100.9:0/5"}
	got := f.gather(req)
	if got.Health.Status != "HEALTH_WARN" || len(got.Health.SlowOps) != 2 || got.OSDMap.Epoch != 19 || got.Scrubs == nil ||
		got.Scrubs.Deep != 1 {
		t.Errorf("got %+v", got)
	}
	var blocked []string
	for _, e := range got.Blocklist {
		blocked = append(blocked, e.Addr)
	}
	if diff := cmp.Diff([]string{"192.0.2.8:0/12", "198.51.100.9:0/5"}, blocked); diff != "" {
		t.Errorf("blocklist (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ceph.Image{image("used"), image("idle")}, got.Asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if len(got.Watchers) != 1 || got.Watchers[0].Image != "used" {
		t.Errorf("want the watcher of one image, got %+v", got.Watchers)
	}
	if diff := cmp.Diff([]string{"watchers of vms/bad: open: no such image"}, got.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	// The manager's call must be the last one: see gathering.
	if f.asked[len(f.asked)-1] != "pg stat" {
		t.Errorf("the manager is not asked last: %q", f.asked)
	}
}

func TestGatherParts(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fake)
		want   string
		known  func(ceph.Cluster) bool
	}{
		{"no health", func(f *fake) { delete(f.answers, "health") }, "health: no answer",
			func(c ceph.Cluster) bool { return c.Health.Status == "" && c.OSDMap.Epoch != 0 && c.Scrubs != nil }},
		{"no map", func(f *fake) { f.answers["osd dump"] = "garbage" }, "osd dump: ceph: osd dump: invalid character",
			func(c ceph.Cluster) bool { return c.OSDMap.Epoch == 0 && c.Health.Status != "" }},
		{"no manager known", func(f *fake) { f.answers["mgr stat"] = `{"available":false}` }, "scrubs: no manager is available",
			func(c ceph.Cluster) bool { return c.Scrubs == nil }},
		{"a silent manager", func(f *fake) { delete(f.answers, "pg stat") }, "scrubs: the manager does not respond: no answer",
			func(c ceph.Cluster) bool { return c.Scrubs == nil }},
		{"a manager not ready", func(f *fake) { f.answers["pg stat"] = `{"pg_ready":false}` },
			"scrubs: ceph: pg stat: the manager does not have all placement groups yet",
			func(c ceph.Cluster) bool { return c.Scrubs == nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			tt.change(f)
			got := f.gather(request())
			if len(got.Errors) != 1 || !strings.HasPrefix(got.Errors[0], tt.want) || !tt.known(got) {
				t.Errorf("want one error like %q, got %q and %+v", tt.want, got.Errors, got)
			}
		})
	}
}

func TestGatherManagerUnknown(t *testing.T) {
	f := newFake(t)
	f.answers["mgr stat"] = `{"available":false}`
	f.gather(request())
	for _, prefix := range f.asked {
		if prefix == "pg stat" {
			t.Error("a manager is asked that the monitors do not know")
		}
	}
}

// Each response takes 2.4 s of 10 s, and an operation may take 2 s: after three, 2.8
// s are left, and no query that might exceed them is sent.
func TestGatherLate(t *testing.T) {
	f := newFake(t)
	f.takes = 2400 * time.Millisecond
	got := f.gather(request(image("used"), image("idle")))
	if diff := cmp.Diff([]string{"health", "osd dump", "used"}, f.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	want := []string{"watchers of vms/idle: not queried: timeout", "scrubs: not queried: timeout"}
	if diff := cmp.Diff(want, got.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestGatherManyImages(t *testing.T) {
	f := newFake(t)
	var images []ceph.Image
	for i := range ceph.MaxImages + 3 {
		images = append(images, image(fmt.Sprint("used", i)))
	}
	got := f.gather(request(images...))
	if len(got.Asked) != ceph.MaxImages || len(got.Watchers) != ceph.MaxImages {
		t.Errorf("want %d images, got %d and %d watchers", ceph.MaxImages, len(got.Asked), len(got.Watchers))
	}
	if diff := cmp.Diff([]string{"watchers: 3 images not queried: the limit is 20 per run"}, got.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// An invalid image affects only its own result.
func TestGatherOddRequest(t *testing.T) {
	f := newFake(t)
	req := request(image("used"), image("vm@snap"))
	req.Addrs = []string{"(unknown)", "192.0.2.8"}
	got := f.gather(req)
	want := []string{`request: "vms/vm@snap" is not a valid image name`, `request: "(unknown)" is not an address`}
	if diff := cmp.Diff(want, got.Errors); diff != "" || len(got.Asked) != 1 || len(got.Blocklist) != 1 {
		t.Errorf("got %+v, errors (-want +got):\n%s", got, diff)
	}
}

func TestTimeouts(t *testing.T) {
	tests := []struct{ whole, connect, operation time.Duration }{
		{ceph.MinTimeout, time.Second, time.Second},
		{9900 * time.Millisecond, 3 * time.Second, time.Second},
		{10 * time.Second, 4 * time.Second, 2 * time.Second},
		{time.Minute, 24 * time.Second, 12 * time.Second},
	}
	for _, tt := range tests {
		if c, o := timeouts(tt.whole); c != tt.connect || o != tt.operation {
			t.Errorf("%s: want %s and %s, got %s and %s", tt.whole, tt.connect, tt.operation, c, o)
		}
	}
}
