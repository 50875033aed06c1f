package host

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// Property: the String of an accepted release is parsed to the same numbers, and a
// Release equals itself.
func FuzzParseRelease(f *testing.F) {
	for _, s := range []string{"6.1.0-56-amd64", "6.8.12-4-pve", "5.14.0-503.el9", "6.19-rc3", "5.15.0", "007.1.2", "6.1.", "6.1.9999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRelease(s)
		if err != nil {
			return
		}
		again, err := ParseRelease(r.String())
		if r.Exact && (err != nil || again != r) {
			t.Errorf("%q is %v, read back %v, %v", s, r, again, err)
		}
		if r.Compare(again) != 0 && r.Exact {
			t.Errorf("%v is not equal to itself", r)
		}
	})
}

// Property: for any texts, the series is that of the release.
func FuzzUpstream(f *testing.F) {
	f.Add("6.1.0-56-amd64", "Linux version (gcc) #1 SMP Debian 6.1.192-2 (2026-11-16)", "")
	f.Add("5.15.0-91-generic", "", "Ubuntu 5.15.0-91.101-generic 5.15.131")
	f.Add("5.4.0", ") # Debian", "a b")
	f.Fuzz(func(t *testing.T, release, version, signature string) {
		got, err := State{Release: release, Version: version, Signature: signature}.Upstream()
		plain, perr := ParseRelease(release)
		if (err == nil) != (perr == nil) || got.Major != plain.Major || got.Minor != plain.Minor {
			t.Errorf("%q gave %v, with texts %v", release, plain, got)
		}
	})
}

// Property: averages are percentages, totals are not negative, and a parsed Pressure
// that is printed is parsed to the same values.
func FuzzParsePressure(f *testing.F) {
	f.Add([]byte("some avg10=0.06 avg60=0.04 avg300=0.00 total=882421\nfull avg10=0.06 avg60=0.04 avg300=0.00 total=732772\n"))
	f.Add([]byte("some avg10=99.35 avg60=71.20 avg300=0.00 total=18446744073709551615\n"))
	f.Add([]byte("some avg10=NaN avg60=+Inf total=1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePressure(b)
		if err != nil {
			return
		}
		for _, v := range []float64{p.Some10, p.Some60, p.Full10, p.Full60} {
			if !(v >= 0 && v <= 100) {
				t.Errorf("%q gave %+v", b, p)
			}
		}
		print := fmt.Appendf(nil, "some avg10=%v avg60=%v total=%d\nfull avg10=%v avg60=%v total=%d\n",
			p.Some10, p.Some60, p.SomeTotal/time.Microsecond, p.Full10, p.Full60, p.FullTotal/time.Microsecond)
		if again, err := parsePressure(print); err != nil || *again != *p {
			t.Errorf("%+v read back as %+v, %v", p, again, err)
		}
	})
}

// Property: the sums are at least the values of the first line, and at most a 32-bit
// counter per line.
func FuzzParseSoftnet(f *testing.F) {
	f.Add([]byte("000010e7 00000002 00000010 00000000\n00001a03 ffffffff 0000000a\n"))
	f.Add([]byte("1 2 \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSoftnet(b)
		lines := uint64(strings.Count(string(b), "\n")) + 1
		if err == nil && (s.Dropped > lines<<32 || s.Squeezed > lines<<32) {
			t.Errorf("%d lines gave %+v", lines, s)
		}
	})
}

// Property: an accepted /proc/stat has a CPU and a boot time that JSON can represent,
// and load averages are numbers.
func FuzzParseStat(f *testing.F) {
	f.Add([]byte("cpu  1\ncpu0 1 2\ncpu1 1\nbtime 1798761600\n"), []byte("0.17 0.06 0.01 1/90 5593"))
	f.Add([]byte("cpu0\nbtime 99999999999999"), []byte("NaN 1 1 1/1"))
	f.Fuzz(func(t *testing.T, stat, load []byte) {
		if boot, cpus, err := parseStat(stat); err == nil {
			if _, jerr := boot.MarshalJSON(); jerr != nil || cpus < 1 {
				t.Errorf("%q gave %v, %d", stat, boot, cpus)
			}
		}
		if averages, threads, err := parseLoad(load); err == nil {
			for _, v := range averages {
				if !(v >= 0) || threads < 0 {
					t.Errorf("%q gave %v, %d", load, averages, threads)
				}
			}
		}
	})
}

// Property: the name, cleaned, and the state of a task are parsed from its line,
// whatever the name contains; a name is printable and bounded.
func FuzzParseTask(f *testing.F) {
	for _, s := range []string{"systemd", "CPU 0/KVM", "a) D (b", "", "\x1b[31m", strings.Repeat("ä", 40), "\xff) R"} {
		f.Add(s, byte('D'))
	}
	f.Fuzz(func(t *testing.T, name string, letter byte) {
		line := fmt.Appendf(nil, "42 (%s) %c 1 42 42 0 -1 4194560", name, 'A'+letter%26)
		comm, state, ok := parseTask(line)
		if !ok || state != 'A'+letter%26 || comm != cleanComm([]byte(name)) {
			t.Errorf("%q gave %q, %c, %v", line, comm, state, ok)
		}
		if len(comm) > maxComm || !utf8.ValidString(comm) || strings.ContainsFunc(comm, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is no clean name", comm)
		}
		parseTask([]byte(name)) // no input may cause a panic
	})
}

// Property: a CephFS mount is found on any line, and only by its type.
func FuzzHasCephFS(f *testing.F) {
	f.Add("proc /proc proc rw 0 0\n")
	f.Add("ceph ceph ext4 rw 0 0")
	f.Fuzz(func(t *testing.T, before string) {
		if !hasCephFS([]byte(before + "\n192.0.2.1:/ /mnt ceph rw 0 0\n" + before)) {
			t.Errorf("not seen after %q", before)
		}
		if !strings.Contains(before, "ceph") && hasCephFS([]byte(before)) {
			t.Errorf("seen in %q", before)
		}
	})
}
