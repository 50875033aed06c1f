package ceph

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorded returns a recorded reply of a real cluster, Ceph 16.2.15.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseHealth(t *testing.T) {
	tests := []struct {
		file string
		want Health
	}{
		{"health-slow.json", Health{
			Status: "HEALTH_WARN",
			Checks: []Check{
				{Code: "PG_AVAILABILITY", Severity: "HEALTH_WARN", Summary: "Reduced data availability: 10 pgs inactive", Count: 10},
				{Code: "POOL_APP_NOT_ENABLED", Severity: "HEALTH_WARN", Summary: "1 pool(s) do not have an application enabled", Count: 1},
				{Code: "SLOW_OPS", Severity: "HEALTH_WARN",
					Summary: "11 slow ops, oldest one blocked for 3 sec, daemons [osd.0,osd.1] have slow ops.", Count: 1},
			},
			SlowOps: []string{"osd.0", "osd.1"},
		}},
		{"health-muted.json", Health{
			Status: "HEALTH_OK",
			Checks: []Check{
				{Code: "POOL_APP_NOT_ENABLED", Severity: "HEALTH_WARN", Summary: "1 pool(s) do not have an application enabled", Count: 1,
					Muted: true},
			},
		}},
	}
	for _, tt := range tests {
		got, err := ParseHealth(recorded(t, tt.file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, diff)
		}
	}
	for _, bad := range []string{"", "null", "{}", `{"checks":{}}`, "[" + strings.Repeat("[", 20_000)} {
		if got, err := ParseHealth([]byte(bad)); err == nil {
			t.Errorf("%.20q: want an error, got %+v", bad, got)
		}
	}
}

func TestSlowDaemons(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"1 slow ops, oldest one blocked for 33 sec, osd.7 has slow ops", []string{"osd.7"}},
		{"1 slow ops, oldest one blocked for 33 sec, mon.node2.example has slow ops", []string{"mon.node2.example"}},
		{"9 slow ops, oldest one blocked for 5 sec, daemons [osd.1,osd.12,mon.pve-1] have slow ops.",
			[]string{"osd.1", "osd.12", "mon.pve-1"}},
		{"99 slow ops, oldest one blocked for 5 sec, daemons [osd.1,osd.2]... have slow ops.", []string{"osd.1", "osd.2"}},
		{"osds [osd.0,osd.1] have slow ops.", []string{"osd.0", "osd.1"}},
		{"3 slow ops, oldest one blocked for 33 sec", nil},
		{"daemons [] have slow ops.", nil},
		{"daemons [osd.,.1,x] have slow ops.", nil},
		{"no such thing", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, slowDaemons(tt.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
}

func clock(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParseOSDMap(t *testing.T) {
	got, list, err := ParseOSDMap(recorded(t, "osd-dump.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := OSDMap{
		Epoch: 19,
		Flags: "sortbitwise,recovery_deletes,purged_snapdirs,pglog_hardlimit",
		OSDs:  []OSD{{ID: 0, Up: true, In: true, Addrs: []string{"127.0.0.1:6800", "127.0.0.1:6801"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("map (-want +got):\n%s", diff)
	}
	entries := []Entry{
		{"192.0.2.7:0/0", clock(t, "2026-11-22T18:39:42.685979Z")},
		{"192.0.2.7:0/3141592653", clock(t, "2026-11-22T19:29:41.701045Z")},
		{"192.0.2.8:0/12", clock(t, "2026-11-22T18:39:45.748576Z")},
		{"198.51.100.9:0/5", clock(t, "2026-11-22T19:29:44.739338Z")},
		{"2001:db8:1::/64", clock(t, "2026-11-22T18:40:14.528212Z")},
		{"203.0.113.0/24", clock(t, "2026-11-22T18:40:13.203955Z")},
		{"[2001:db8::7]:0/77", clock(t, "2026-11-22T18:39:44.004729Z")},
	}
	if diff := cmp.Diff(entries, list); diff != "" {
		t.Errorf("blocklist (-want +got):\n%s", diff)
	}
}

func TestParseOSDMapDown(t *testing.T) {
	got, _, err := ParseOSDMap(recorded(t, "osd-dump-down.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := []OSD{
		{ID: 0, Up: true, In: true, Addrs: []string{"127.0.0.1:6800", "127.0.0.1:6801"}},
		{ID: 1, In: true},
	}
	if diff := cmp.Diff(want, got.OSDs); diff != "" || !strings.HasPrefix(got.Flags, "noout,") {
		t.Errorf("flags %q, OSDs (-want +got):\n%s", got.Flags, diff)
	}
}

// The field names in Octopus and Luminous.
func TestParseOSDMapOld(t *testing.T) {
	got, list, err := ParseOSDMap([]byte(`{"epoch":7,"osds":[
		{"osd":4,"up":1,"in":0,"public_addr":"192.0.2.14:6801/99"},{"osd":2,"up":0,"in":0,"public_addr":":/0"}],
		"blacklist":{"192.0.2.7:0/9":"2020-03-01T10:00:00.000000+0100","192.0.2.7:0/8":"2019-03-01 10:00:00.000000"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := OSDMap{Epoch: 7, OSDs: []OSD{{ID: 2}, {ID: 4, Up: true, Addrs: []string{"192.0.2.14:6801"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("map (-want +got):\n%s", diff)
	}
	entries := []Entry{{"192.0.2.7:0/8", time.Time{}}, {"192.0.2.7:0/9", clock(t, "2020-03-01T09:00:00Z")}}
	if diff := cmp.Diff(entries, list); diff != "" {
		t.Errorf("blocklist (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "null", "{}", `{"epoch":-1}`, `{"osds":{}}`} {
		if got, _, err := ParseOSDMap([]byte(bad)); err == nil {
			t.Errorf("%q: want an error, got %+v", bad, got)
		}
	}
}

func TestParseScrubs(t *testing.T) {
	tests := []struct {
		in   string
		want Scrubs
	}{
		{string(recorded(t, "pg-stat.json")), Scrubs{}},
		{string(recorded(t, "pg-stat-scrub.json")), Scrubs{Scrubbing: 1, Deep: 1}},
		{`{"pg_ready":true,"pg_summary":{"num_pg_by_state":[
			{"name":"active+clean+scrubbing","num":4},{"name":"active+clean+scrubbing+deep+repair","num":2},
			{"name":"active+scrubbing_x","num":9},{"name":"active+deep","num":9},{"name":"scrubbing","num":-9}]}}`,
			Scrubs{Scrubbing: 6, Deep: 2}},
	}
	for _, tt := range tests {
		if got, err := ParseScrubs([]byte(tt.in)); err != nil || got != tt.want {
			t.Errorf("%s: want %+v, got %+v, %v", tt.in, tt.want, got, err)
		}
	}
	for _, bad := range []string{"", "{}", `{"pg_ready":false}`} {
		if got, err := ParseScrubs([]byte(bad)); err == nil {
			t.Errorf("%q: want an error, got %+v", bad, got)
		}
	}
}

func TestParseManager(t *testing.T) {
	if got, err := ParseManager(recorded(t, "mgr-stat.json")); err != nil || !got {
		t.Errorf("want a manager, got %v, %v", got, err)
	}
	if got, err := ParseManager([]byte(`{"epoch":1,"available":false,"active_name":""}`)); err != nil || got {
		t.Errorf("want none, got %v, %v", got, err)
	}
	if got, err := ParseManager([]byte(`{}`)); err == nil {
		t.Errorf("want an error, got %v", got)
	}
}
