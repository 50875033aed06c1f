package ceph

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func example() Cluster {
	return Cluster{
		FSID:    "db1359b9-14f2-4140-90ca-11e6592bccc7",
		Release: "3.0.0",
		Health: Health{
			Status: "HEALTH_WARN",
			Checks: []Check{{Code: "OSD_DOWN", Severity: "HEALTH_WARN", Summary: "1 osds down", Count: 1},
				{Code: "SLOW_OPS", Severity: "HEALTH_WARN", Muted: true}},
			SlowOps: []string{"osd.1"},
		},
		OSDMap: OSDMap{Epoch: 14, Flags: "noout", OSDs: []OSD{{ID: 0, Up: true, In: true, Addrs: []string{"192.0.2.11:6800"}},
			{ID: 1, In: true}}},
		Blocklist: []Entry{{Addr: "192.0.2.7:0/9", Until: time.Date(2026, 11, 22, 18, 0, 0, 5000, time.UTC)}},
		Watchers: []Watcher{{Pool: "vms", Image: "vm-101-disk-0", Addr: "192.0.2.7:0/290695183", ClientID: 4123,
			Cookie: 18446462598732840961}},
		Asked:  []Image{{Pool: "vms", Name: "vm-101-disk-0"}},
		Scrubs: &Scrubs{Scrubbing: 3, Deep: 1},
		Took:   81 * time.Millisecond,
		Errors: []string{"watchers of vms/vm-102-disk-0: rbd: ret=-1, Operation not permitted"},
	}
}

func TestParse(t *testing.T) {
	b, err := json.Marshal(example())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

func TestParseMakesGood(t *testing.T) {
	got, err := Parse([]byte(`{"fsid":"f","new":{"deep":[1]},
		"health":{"status":"HEALTH\u001b_OK","checks":[{"code":"B"},{"code":"A","summary":"a\nb"}],"slow_ops":["osd.2","osd.1","osd.2"]},
		"osdmap":{"epoch":-3,"osds":[{"id":5,"addrs":["192.0.2.11:6800","(unrecognized)"]},{"id":2,"addrs":["0.0.0.0:0"]}]},
		"blocklist":[{"addr":"v1:192.0.2.9:0/1","until":"9999-12-31T23:59:59-23:00"},{"addr":"192.0.2.7:0/1"}],
		"watchers":[{"pool":"p","image":"z"},{"pool":"p","image":"a","addr":"any:192.0.2.7:0/1"}],
		"scrubs":{"scrubbing":2,"deep":7},"took":-5}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Cluster{
		FSID: "f",
		Health: Health{Status: "HEALTH?_OK", Checks: []Check{{Code: "A", Summary: "a b"}, {Code: "B"}},
			SlowOps: []string{"osd.1", "osd.2"}},
		OSDMap:    OSDMap{OSDs: []OSD{{ID: 2}, {ID: 5, Addrs: []string{"192.0.2.11:6800"}}}},
		Blocklist: []Entry{{Addr: "192.0.2.7:0/1"}, {Addr: "192.0.2.9:0/1"}},
		Watchers:  []Watcher{{Pool: "p", Image: "a", Addr: "192.0.2.7:0/1"}, {Pool: "p", Image: "z"}},
		Scrubs:    &Scrubs{Scrubbing: 2, Deep: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", "", "unexpected end"},
		{"null", "null", "no fsid"},
		{"no cluster", "{}", "no fsid"},
		{"cut", `{"fsid":"f"`, "unexpected end"},
		{"two documents", `{"fsid":"f"} {"fsid":"g"}`, "invalid character"},
		{"long", `{"fsid":"` + strings.Repeat("f", MaxDocument), "more than 8388608"},
		{"many", `{"fsid":"f","watchers":[{}` + strings.Repeat(",{}", document.values) + `]}`, "values are more than 200000"},
		{"deep", `{"fsid":"f","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}", "max depth"},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.in))
		if err == nil || !strings.HasPrefix(err.Error(), "ceph: document: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: want an error with %q, got %v", tt.name, tt.want, err)
		}
	}
}

func TestText(t *testing.T) {
	long := strings.Repeat("ä", maxText)
	got := text(long)
	if len(got) > maxText || !strings.HasSuffix(got, "ä...") || text(got) != got {
		t.Errorf("want at most %d bytes that end in ä..., got %d: %q", maxText, len(got), got[len(got)-8:])
	}
}

func TestWatcherKernel(t *testing.T) {
	if !(Watcher{Cookie: 18446462598732840961}).Kernel() {
		t.Error("the first watch of a kernel client is not taken for one")
	}
	if (Watcher{Cookie: 139673410315856}).Kernel() {
		t.Error("a watch of librbd is taken for a kernel client's")
	}
}

// BenchmarkParse parses the document of a cluster with 1,820 OSDs.
func BenchmarkParse(b *testing.B) {
	c := example()
	for id := range 1820 {
		c.OSDMap.OSDs = append(c.OSDMap.OSDs, OSD{ID: id, Up: true, In: true, Addrs: []string{"192.0.2.11:6800", "192.0.2.11:6801"}})
	}
	doc, err := json.Marshal(c)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}
