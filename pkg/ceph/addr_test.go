package ceph

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalAddr(t *testing.T) {
	tests := []struct{ in, want string }{
		{"192.0.2.7:0/3141592653", "192.0.2.7:0/3141592653"},
		{"v1:192.0.2.7:0/5", "192.0.2.7:0/5"},
		{"any:192.0.2.7:0/5", "192.0.2.7:0/5"},
		{"v2:[2001:DB8:0::7]:0/5", "[2001:db8::7]:0/5"},
		{"[::ffff:192.0.2.7]:0/5", "192.0.2.7:0/5"},
		{"192.0.2.7", "192.0.2.7"},
		{"192.0.2.7:6801", "192.0.2.7:6801"},
		{"2001:db8::7", "2001:db8::7"},
		{"cidr:203.0.113.9:0/24", "203.0.113.0/24"},
		{"cidr:[2001:db8:1::]:0/64", "2001:db8:1::/64"},
		{"203.0.113.0/24", "203.0.113.0/24"},
		{"cidr:192.0.2.7:0/32", "192.0.2.7"},
		{"192.0.2.7:0/x", "192.0.2.7:0/x"},
		{"[fe80::1%eth0]:0/5", "[fe80::1%eth0]:0/5"},
		{"(unrecognized\x1b address family 0)/0", "(unrecognized? address family 0)/0"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := NormalAddr(tt.in); got != tt.want {
			t.Errorf("%q: want %q, got %q", tt.in, tt.want, got)
		}
	}
}

func TestBlocklistFor(t *testing.T) {
	_, list, err := ParseOSDMap(recorded(t, "osd-dump.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := Cluster{Blocklist: list}
	tests := []struct {
		name  string
		addrs []string
		want  []string
	}{
		{"a client", []string{"192.0.2.8:0/12"}, []string{"192.0.2.8:0/12"}},
		{"with its type", []string{"any:192.0.2.8:0/12"}, []string{"192.0.2.8:0/12"}},
		{"another client of it", []string{"192.0.2.8:0/13"}, nil},
		{"a client, by its IP", []string{"192.0.2.7:0/4"}, []string{"192.0.2.7:0/0"}},
		{"a client, by both", []string{"192.0.2.7:0/3141592653"}, []string{"192.0.2.7:0/0", "192.0.2.7:0/3141592653"}},
		{"an IP", []string{"198.51.100.9"}, []string{"198.51.100.9:0/5"}},
		{"an IPv6", []string{"2001:db8:0:0::7"}, []string{"[2001:db8::7]:0/77"}},
		{"by network", []string{"203.0.113.77:0/8"}, []string{"203.0.113.0/24"}},
		{"an IPv6 by network", []string{"2001:db8:1::5"}, []string{"2001:db8:1::/64"}},
		{"not twice", []string{"192.0.2.8", "192.0.2.8:0/12"}, []string{"192.0.2.8:0/12"}},
		{"none", []string{"192.0.2.9", "no address", ""}, nil},
		{"nobody", nil, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, e := range c.BlocklistFor(tt.addrs...) {
			got = append(got, e.Addr)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
