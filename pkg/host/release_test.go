package host

import "testing"

func TestParseRelease(t *testing.T) {
	tests := []struct {
		in, want string
		r        Release
	}{
		{"6.1.0-56-amd64", "6.1.x", Release{6, 1, 0, false}},
		{"6.8.12-4-pve", "6.8.12", Release{6, 8, 12, true}},
		{"5.15.0-91-generic", "5.15.x", Release{5, 15, 0, false}},
		{"5.14.0-503.11.1.el9_5.x86_64", "5.14.x", Release{5, 14, 0, false}},
		{"6.12.43+deb12-amd64", "6.12.43", Release{6, 12, 43, true}},
		{"7.2.13+deb14-amd64", "7.2.13", Release{7, 2, 13, true}},
		{"6.19.0-rc3", "6.19.x", Release{6, 19, 0, false}},
		{"6.19-rc3", "6.19.x", Release{6, 19, 0, false}},
		{"5.15.0", "5.15.0", Release{5, 15, 0, true}},
		{"6.18", "6.18.x", Release{6, 18, 0, false}},
		{"6.18.", "6.18.x", Release{6, 18, 0, false}},
	}
	for _, tt := range tests {
		got, err := ParseRelease(tt.in)
		if err != nil || got != tt.r || got.String() != tt.want {
			t.Errorf("%s: want %s %+v, got %s %+v, %v", tt.in, tt.want, tt.r, got, got, err)
		}
	}
	for _, bad := range []string{"", "6", "6.", "v6.1", "6.x.1", ".6.1", "1234567.1.1", "-6.1.0"} {
		if got, err := ParseRelease(bad); err == nil {
			t.Errorf("%q: want an error, got %s", bad, got)
		}
	}
}

func TestCompare(t *testing.T) {
	ordered := []Release{{4, 19, 300, true}, {5, 4, 0, true}, {5, 15, 9, true}, {5, 15, 131, true}, {6, 1, 0, true}, {6, 1, 192, true},
		{6, 12, 1, true}}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%s to %s: want %d, got %d", a, b, want, got)
			}
		}
	}
}

func TestUpstream(t *testing.T) {
	const debian = "(debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian "
	tests := []struct {
		name string
		s    State
		want string
	}{
		{"Debian", State{Release: "6.1.0-56-amd64", Version: "Linux version 6.1.0-56-amd64 " + debian +
			"6.1.192-2 (2026-11-16)"}, "6.1.192"},
		{"Debian backport", State{Release: "6.12.43+deb12-amd64", Version: "Linux version 6.12.43+deb12-amd64 " + debian +
			"6.12.43-1~bpo12+1 (2025-09-06)"}, "6.12.43"},
		{"Proxmox", State{Release: "6.8.12-4-pve",
			Version: "Linux version 6.8.12-4-pve (build@proxmox) (gcc (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC PMX 6.8.12-4 (2024-11-06T15:04Z)"}, "6.8.12"},
		{"Ubuntu", State{Release: "5.15.0-91-generic", Signature: "Ubuntu 5.15.0-91.101-generic 5.15.131",
			Version: "Linux version 5.15.0-91-generic (buildd@lcy02-amd64-045) (gcc (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0, GNU ld (GNU Binutils for Ubuntu) 2.38) #101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023"}, "5.15.131"},
		{"RHEL", State{Release: "5.14.0-503.11.1.el9_5.x86_64",
			Version: "Linux version 5.14.0-503.11.1.el9_5.x86_64 (mockbuild@host) (gcc (GCC) 11.5.0, GNU ld version 2.35.2-54.el9) #1 SMP PREEMPT_DYNAMIC Tue Oct 1 00:00:00 EDT 2024"}, "5.14.x"},
		{"own build with Debian's compiler", State{Release: "5.4.0-own",
			Version: "Linux version 5.4.0-own (me@node2) (cc of Debian 5.4.9-1 ) #3 SMP"}, "5.4.x"},
		{"the word last", State{Release: "5.4.0-own", Version: "Linux version 5.4.0-own (me@node2) (gcc) #3 SMP Debian"}, "5.4.x"},
		{"another series", State{Release: "6.1.0-56-amd64", Version: "Linux version 6.1.0-56-amd64 " + debian + "6.12.43-1"}, "6.1.x"},
		{"no text", State{Release: "6.1.0-56-amd64"}, "6.1.x"},
	}
	for _, tt := range tests {
		got, err := tt.s.Upstream()
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: want %s, got %s, %v", tt.name, tt.want, got, err)
		}
	}
	if _, err := (State{Release: "?"}).Upstream(); err == nil {
		t.Error("want an error for a release without numbers")
	}
}
