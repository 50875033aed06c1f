package ceph

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fit reports whether s can be shown: printable and bounded.
func fit(s string) bool {
	return len(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Property: what Parse accepts can be printed and is then parsed to the same values;
// its texts are printable and bounded; OSDs and checks are sorted.
func FuzzParse(f *testing.F) {
	b, err := json.Marshal(example())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"fsid":"f","blocklist":[{"addr":"cidr:[2001:db8::]:0/64","until":"0000-01-01T00:00:00+23:00"}]}`))
	f.Add([]byte(`{"fsid":"\ud800","health":{"slow_ops":[""]},"osdmap":{"osds":[{"addrs":[]}]},"watchers":[{"addr":"v1:1.2.3.4:0/1"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		print, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("cannot print %+v: %v", c, err)
		}
		again, err := Parse(print)
		if diff := cmp.Diff(c, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("read again, %v (-first +second):\n%s", err, diff)
		}
		if !slices.IsSortedFunc(c.OSDMap.OSDs, func(a, b OSD) int { return a.ID - b.ID }) ||
			!slices.IsSortedFunc(c.Health.Checks, func(a, b Check) int { return strings.Compare(a.Code, b.Code) }) {
			t.Errorf("not sorted: %s", print)
		}
		texts := append(slices.Clone(c.Errors), c.FSID, c.Release, c.Health.Status, c.OSDMap.Flags)
		for _, w := range c.Watchers {
			texts = append(texts, w.Pool, w.Namespace, w.Image, w.Addr)
		}
		for _, e := range c.Blocklist {
			texts = append(texts, e.Addr)
		}
		for _, s := range texts {
			if !fit(s) {
				t.Errorf("%q is not fit for people", s)
			}
		}
	})
}

// Property: for any reply of a monitor or manager, the parsed values pass through the
// document unchanged.
func FuzzAnswers(f *testing.F) {
	for _, name := range []string{"health-slow.json", "health-muted.json", "osd-dump.json", "osd-dump-down.json", "pg-stat.json",
		"pg-stat-scrub.json", "mgr-stat.json"} {
		f.Add(recorded(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := Cluster{FSID: "f"}
		var err, herr, oerr, serr error
		c.Health, herr = ParseHealth(b)
		c.OSDMap, c.Blocklist, oerr = ParseOSDMap(b)
		scrubs, serr := ParseScrubs(b)
		if serr == nil {
			c.Scrubs = &scrubs
		}
		ParseManager(b)
		if herr != nil && oerr != nil && serr != nil {
			return
		}
		print, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("cannot print %+v: %v", c, err)
		}
		again, err := Parse(print)
		if diff := cmp.Diff(c, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("through the document, %v (-said +read):\n%s", err, diff)
		}
	})
}

// Property: a name in SLOW_OPS is a part of the message, and has the form TYPE.ID.
func FuzzSlowDaemons(f *testing.F) {
	f.Add("11 slow ops, oldest one blocked for 3 sec, daemons [osd.0,osd.1] have slow ops.")
	f.Add("1 slow ops, oldest one blocked for 33 sec, mon.a has slow ops")
	f.Add(", [ has slow ops]")
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range slowDaemons(s) {
			if !strings.Contains(s, name) || !strings.Contains(name, ".") || strings.Contains(name, ",") {
				t.Errorf("%q gave %q", s, name)
			}
		}
	})
}

// Property: a normalized address stays the same, and an entry for an address blocks
// it and its IP.
func FuzzNormalAddr(f *testing.F) {
	for _, s := range []string{"192.0.2.7:0/3141592653", "any:[2001:db8::7]:0/77", "cidr:203.0.113.0:0/24", "2001:db8::/64", "192.0.2.7",
		"v1:v1:x", "::ffff:1.2.3.4/100"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		normal := NormalAddr(s)
		if again := NormalAddr(normal); again != normal || !fit(normal) {
			t.Errorf("%q gave %q, and that gave %q", s, normal, again)
		}
		a, ok := parseAddress(s)
		if !ok {
			return
		}
		list := []Entry{{Addr: normal}}
		if len(Blocking(list, []string{s})) != 1 || len(Blocking(list, []string{a.net.Addr().String()})) != 1 {
			t.Errorf("an entry for %q does not block it", s)
		}
	})
}

// Property: an accepted request can be printed and is accepted again as the same
// request, and its images are equal to those parsed from their texts.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"conf":"/etc/ceph/ceph.conf","images":[{"pool":"vms","namespace":"n","name":"a"}],"addrs":["192.0.2.7"],"timeout":5000000000}`))
	f.Add([]byte(`{"name":"client.a.b"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		print, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(print) <= MaxRequest {
			again, err := ParseRequest(print)
			if diff := cmp.Diff(r, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("read again, %v (-first +second):\n%s", err, diff)
			}
		}
		r, _ = r.Fit()
		for _, i := range r.Images {
			if got, err := ParseImage(i.String()); err != nil || got != i {
				t.Errorf("%+v is %q, read as %+v, %v", i, i, got, err)
			}
		}
	})
}
