package facts_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// TestMissing: what a readable source does not provide is reported, with the remedy.
func TestMissing(t *testing.T) {
	at := nodetest.Start
	debugfs := "mount debugfs, and give nodewatch CAP_DAC_READ_SEARCH, as systemd/nodewatch.service does"
	drivers := "report the driver and these counters to the nodewatch project; until then nodewatch uses the kernel's counters of the NIC"
	for name, tt := range map[string]struct {
		source string
		sees   []node.Observation
		want   facts.Missing
	}{
		"all guests": {node.SourceQEMU, []node.Observation{node.SawQEMU{Reading: nodetest.Reading(at, time.Minute, rbd.Guests{})}},
			facts.Missing{}},
		"hot-plugged disks": {node.SourceQEMU, []node.Observation{node.SawQEMU{Reading: nodetest.Reading(at, time.Minute,
			rbd.Guests{Partly: "disks", Remedy: "a capability"})}},
			facts.Missing{Text: "disks", Remedy: "a capability"}},
		"a domain": {node.SourceLibvirt, []node.Observation{node.SawLibvirt{Reading: nodetest.Reading(at, time.Minute,
			rbd.Guests{Partly: "vm1: did not answer in time"})}},
			facts.Missing{Text: "vm1: did not answer in time"}},
		"a source that failed since": {node.SourceQEMU, []node.Observation{
			node.SawQEMU{Reading: nodetest.Reading(at, time.Minute, rbd.Guests{Partly: "disks"})},
			node.SawQEMU{Reading: nodetest.Failed[rbd.Guests](at, node.Failed, "no", "")},
		}, facts.Missing{}},
		"all devices": {node.SourceKrbd, []node.Observation{node.SawMapped{Reading: nodetest.Reading(at, time.Minute,
			[]rbd.Mapped{{Device: "rbd0"}})}}, facts.Missing{}},
		"map options": {node.SourceKrbd, []node.Observation{node.SawMapped{Reading: nodetest.Reading(at, time.Minute,
			[]rbd.Mapped{{Device: "rbd0"}, {Device: "rbd1", OptionsErr: "debugfs is not mounted"}})}},
			facts.Missing{Text: "rbd1: map options: debugfs is not mounted", Remedy: debugfs}},
		"attributes": {node.SourceKrbd, []node.Observation{node.SawMapped{Reading: nodetest.Reading(at, time.Minute,
			[]rbd.Mapped{{Device: "rbd3", Partly: "unreadable: minor"}, {Device: "rbd4", Partly: "unreadable: size"}})}},
			facts.Missing{Text: "2 krbd devices cannot be read completely, e.g. rbd3: unreadable: minor"}},
		"osdc of one client": {node.SourceOSDC, []node.Observation{node.SawPending{Reading: nodetest.Reading(at, time.Minute,
			[]rbd.Pending{{ClientID: 4, Partly: "too long"}, {ClientID: 5}})}},
			facts.Missing{Text: "client4: too long"}},
		"lines of osdc": {node.SourceOSDC, []node.Observation{node.SawPending{Reading: nodetest.Reading(at, time.Minute,
			[]rbd.Pending{{ClientID: 4}, {ClientID: 5, Malformed: 2}})}},
			facts.Missing{Text: "client5: 2 lines not understood"}},
		"a long osdc": {node.SourceOSDC, []node.Observation{node.SawPending{Reading: nodetest.Reading(at, time.Minute,
			[]rbd.Pending{{ClientID: 4, Truncated: true}})}},
			facts.Missing{Text: "client4: the file is longer than the read limit"}},
		"many clients": {node.SourceOSDC, []node.Observation{node.SawPending{Reading: nodetest.Reading(at, time.Minute,
			[]rbd.Pending{{ClientID: 4, LeftOut: 7}})}},
			facts.Missing{Text: "7 clients omitted (those with the fewest requests)"}},
		"drivers": {node.SourceDrops, []node.Observation{
			node.SawCounters{Reading: nodetest.Reading(at, time.Minute, []bond.Counters{{Name: "eth0", Index: 1}, {Name: "eth1", Index: 2},
				{Name: "eth2", Index: 3}})},
			node.SawDrops{Reading: nodetest.Reading(at, time.Minute, []bond.Drops{
				{Name: "eth0", Index: 1, Driver: "hns3", Unlisted: map[string]uint64{"rx_oom": 1}},
				{Name: "eth1", Index: 2, Driver: "ice", Counts: map[string]uint64{}},
				{Name: "eth2", Index: 3, Driver: "hns3", Unlisted: map[string]uint64{"rx_drop": 0}},
			})},
		}, facts.Missing{Text: "nodewatch does not know the drop counters of driver hns3 (eth0 and eth2); these look like drops: rx_drop, rx_oom", Remedy: drivers}},
		"drivers without a word of drops": {node.SourceDrops, []node.Observation{
			node.SawCounters{Reading: nodetest.Reading(at, time.Minute, []bond.Counters{{Name: "eth0", Index: 1}})},
			node.SawDrops{Reading: nodetest.Reading(at, time.Minute, []bond.Drops{{Name: "eth0", Index: 1, Driver: "new"}})},
		}, facts.Missing{Text: "nodewatch does not know the drop counters of driver new (eth0)", Remedy: drivers}},
	} {
		t.Run(name, func(t *testing.T) {
			n := nodetest.New(bond.Links{})
			for _, o := range tt.sees {
				n.See(o)
			}
			if diff := cmp.Diff(tt.want, facts.New(n.Snapshot, facts.Baselines{}).Missing(tt.source)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMissingGuests: what both views lack is reported once.
func TestMissingGuests(t *testing.T) {
	at := nodetest.Start
	n := nodetest.New(bond.Links{})
	n.See(node.SawLibvirt{Reading: nodetest.Reading(at, time.Minute, rbd.Guests{Partly: "vm1", Remedy: "ask"})})
	n.See(node.SawQEMU{Reading: nodetest.Reading(at, time.Minute, rbd.Guests{Partly: "disks", Remedy: "ask"})})
	want := facts.Missing{Text: "vm1; disks", Remedy: "ask"}
	if got := facts.New(n.Snapshot, facts.Baselines{}).MissingGuests(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
