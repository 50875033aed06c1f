package node

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// The two views of the guests are one list: libvirt's word wins, what libvirt
// started is counted once, and what it does not know is added.
func TestGuestsOfBothViewsAreCountedOnce(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	virt := SawLibvirt{Reading: Reading[rbd.Guests]{At: at, Every: time.Minute, Value: rbd.Guests{Guests: []rbd.Guest{{Name: "vm201", ID: "u-201", State: "paused"}}}}}
	qemu := SawQEMU{Reading: Reading[rbd.Guests]{At: at, Every: time.Minute, Value: rbd.Guests{Guests: []rbd.Guest{
		{Name: "vm201", State: "running"},               // by name
		{Name: "1-vm201-with-a-long-na", Libvirt: true}, // by its scope, not read yet
		{Name: "ct300", ID: "300", Kind: "container"},   // libvirt does not know it
		{Name: "vm101", ID: "101"},
	}}}}
	names := func(s Snapshot) (list []string) {
		for _, g := range s.Guests {
			list = append(list, g.Name+" "+g.State)
		}
		return list
	}
	s := Snapshot{Now: at}.Take(Entry{At: at, Obs: virt}).Take(Entry{At: at, Obs: qemu})
	if got := names(s); len(got) != 3 || got[0] != "ct300 " || got[1] != "vm101 " || got[2] != "vm201 paused" {
		t.Errorf("got %q", got)
	}
	blind := SawLibvirt{Reading: Reading[rbd.Guests]{Err: &Error{Kind: Absent}}}
	if got := names(Snapshot{Now: at}.Take(Entry{At: at, Obs: blind}).Take(Entry{At: at, Obs: qemu})); len(got) != 4 {
		t.Errorf("without libvirt: got %q, want all four", got)
	}
}
