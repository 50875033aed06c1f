package kmsg

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A format is a message of net/ceph or drivers/block/rbd.c in the source of Linux
// 6.12, with its meaning.
type format struct {
	file          string
	fault         bool // the only line for a session that is lost or refused
	text          string
	class, detail string
}

// formats reads testdata/formats.tsv.
func formats(t testing.TB) []format {
	t.Helper()
	b, err := os.ReadFile("testdata/formats.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []format
	for i, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 5 {
			t.Fatalf("formats.tsv:%d: got %d fields, want 5", i+1, len(fields))
		}
		all = append(all, format{fields[0], fields[1] == "fault", fields[2], fields[3], fields[4]})
	}
	return all
}

var verb = regexp.MustCompile(`%(?:pU|p|[-.*#0-9]*(?:l|ll|z)?[diuxsh])`)

// A filling replaces the verbs of a format, in turn.
type filling struct {
	number, hex, errno, text, uuid, pointer string
}

var fillings = []filling{
	{"0", "0", "-5", "x", "00000000-0000-0000-0000-000000000000", "(____ptrval____)"},
	{"7", "2f018fb8faa4aafe", "-110", "handle_reply", fsid, "00000000a1b2c3d4"},
	{"4294967295", "ffff", "-4095", "__ceph_x_decrypt", fsid, "ffff88810a8c1e00"},
}

// line returns the format with its verbs replaced as the kernel would do it.
func (f format) line(with filling) string {
	text := f.text
	entity := regexp.MustCompile(`%s%lld %s( |$)`)
	text = entity.ReplaceAllString(text, "osd12 (2)"+v4+"$1")
	text = strings.Replace(text, "mon%d %s ", "mon0 (1)"+mon+" ", 1)
	text = strings.ReplaceAll(text, "%s/%u", "(1)"+v4+"/"+with.number)
	if strings.Contains(text, "owned by %s%llu") || strings.Contains(text, "list %s%llu") {
		text = strings.Replace(text, "%s%llu", "client"+with.number, 1)
	}
	text = strings.Replace(text, "connect %s error %d", "connect (1)"+v4+" error "+with.errno, 1)
	text = strings.Replace(text, "connect to %s got", "connect to (1)"+v4+" got", 1)
	text = strings.Replace(text, "con state %s", "con state V2_AUTH", 1)
	text = strings.Replace(text, "authorization to %s", "authorization to osd", 1)
	text = strings.Replace(text, "%scrypt failed", "en"+"crypt failed", 1)
	if strings.Contains(text, "result %d") {
		text = strings.NewReplacer("%s%s result", "child write result", "%s at objno", "write at objno", "%s %llx at",
			"discard %llx at").Replace(text)
	}
	errno := regexp.MustCompile(`(failed|result|error|decrypt|encrypt|authorizer|challenge|monmap|tid %llu|reply|big|osdmap|rc|lock)(: |, | \(| )%l?d\b`)
	text = errno.ReplaceAllString(text, "${1}${2}"+with.errno)
	return verb.ReplaceAllStringFunc(text, func(v string) string {
		switch {
		case v == "%pU":
			return with.uuid
		case v == "%p":
			return with.pointer
		case strings.HasSuffix(v, "x"):
			return with.hex
		case strings.HasSuffix(v, "s"):
			return with.text
		}
		return with.number
	})
}

// TestFormats: each message of the two directories is classified correctly, whatever
// its verbs print, and keeps its peer, address, device and errno.
func TestFormats(t *testing.T) {
	known := make(map[Class]bool)
	for _, c := range append(Classes(), crcDetail, connectDetail) {
		known[c] = true
	}
	all := formats(t)
	for _, f := range all {
		if !known[Class(f.class)] {
			t.Errorf("%s: %q is no class", f.text, f.class)
		}
		for _, with := range fillings {
			text := f.line(with)
			got := lineOf(text)
			if detail := strings.ReplaceAll(f.detail, "%pU", with.uuid); string(got.Class) != f.class || got.Detail != detail {
				t.Errorf("%q: got %s %q, want %s %q", text, got.Class, got.Detail, f.class, detail)
			}
			if strings.Contains(text, "osd12 ") && got.Peer != "osd12" {
				t.Errorf("%q: got the peer %q", text, got.Peer)
			}
			if strings.Contains(text, v4) && got.Addr != v4 {
				t.Errorf("%q: got the address %q", text, got.Addr)
			}
			if strings.HasPrefix(text, "rbd: rbd"+with.number+": ") && got.Device != "rbd"+with.number {
				t.Errorf("%q: got the device %q", text, got.Device)
			}
			if strings.Contains(text, with.errno) && strconv.Itoa(got.Errno) != with.errno {
				t.Errorf("%q: got errno %d", text, got.Errno)
			}
			if strings.Contains(text, "%") {
				t.Errorf("%q: a verb is left", text)
			}
			if got, want := SessionReason(got.Class, got.Detail) != "", f.fault || got.Class == SessionReset; got != want {
				t.Errorf("%q: ends or refuses a session: got %t, want %t", text, got, want)
			}
		}
	}
	if len(all) != 305 {
		t.Errorf("got %d formats, want 305", len(all))
	}
}
