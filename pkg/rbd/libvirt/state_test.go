package libvirt

import (
	"regexp"
	"strings"
	"testing"

	"github.com/digitalocean/go-libvirt"
)

// Each word matches libvirt's constant, as go-libvirt generates it from its headers:
// DomainPausedIoerror is paused, ioerror.
func TestVirtState(t *testing.T) {
	for state := range int64(len(states)) {
		word, _ := stateOf(state, 0)
		want := strings.ToLower(strings.TrimPrefix(libvirt.DomainState(state).String(), "Domain"))
		if word != want && !(state == 0 && word == "") {
			t.Errorf("state %d is %q, want %q", state, word, want)
		}
	}
	names := map[int64]func(int64) string{
		1: func(n int64) string { return libvirt.DomainRunningReason(n).String() },
		3: func(n int64) string { return libvirt.DomainPausedReason(n).String() },
		4: func(n int64) string { return libvirt.DomainShutdownReason(n).String() },
		5: func(n int64) string { return libvirt.DomainShutoffReason(n).String() },
		6: func(n int64) string { return libvirt.DomainCrashedReason(n).String() },
	}
	capital := regexp.MustCompile(`([a-z])([A-Z])`)
	for state, name := range names {
		for reason := range int64(len(stateReasons[states[state]])) {
			word, why := stateOf(state, reason)
			want := strings.TrimPrefix(strings.ToLower(capital.ReplaceAllString(name(reason), "${1}_${2}")), "domain_"+word+"_")
			if why != strings.ReplaceAll(want, "apierror", "api_error") {
				t.Errorf("%s: reason %d is %q, want %q", word, reason, why, want)
			}
		}
	}
}

func TestVirtStateUnknown(t *testing.T) {
	for _, c := range []struct {
		state, reason int64
		want          string
	}{{0, 5, "/"}, {3, 99, "paused/99"}, {99, 1, "99/1"}, {-1, -2, "-1/-2"}} {
		if word, why := stateOf(c.state, c.reason); word+"/"+why != c.want {
			t.Errorf("%d %d: got %s/%s, want %s", c.state, c.reason, word, why, c.want)
		}
	}
}
