package legacy

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// One finding for each kernel client that several guests share.
func TestKrbdSharedFate(t *testing.T) {
	const id = "krbd-shared-fate"
	r := newRig(t, 5).run(2)
	f := r.want(id, "client4123", report.Info, report.Operational)
	if want := "5 krbd disks of 5 VMs share one kernel client (client4123): what stalls it stalls all of them"; f.Summary != want {
		t.Errorf("summary: %s", f.Summary)
	}
	r.mapped[3].ClientID, r.mapped[4].ClientID = 4999, 4999
	r.guests[2].Kind = "container"
	f = r.run(2).want(id, "client4123", report.Info, report.Operational)
	if !strings.HasPrefix(f.Summary, "3 krbd disks of 3 guests share one") {
		t.Errorf("summary: %s", f.Summary)
	}
	r.want(id, "client4999", report.Info, report.Operational)
	r.mapped[4].ClientID, r.mapped[4].FSID = 4123, "00000000-1111-2222-3333-444444444444"
	r.run(2).wantNone(id, "client4999")
	r.wantNone(id, "client4123")
	r.want(id, rigFSID+".client4123", report.Info, report.Operational)

	r = newRig(t, 1).run(2)
	r.wantNone(id, "client4123")
	r.addVM("", "") // a second disk, of the same guest
	r.guests[0].Disks = append(r.guests[0].Disks, r.guests[1].Disks...)
	r.guests = r.guests[:1]
	r.run(2).wantNone(id, "client4123")

	r = newRig(t, 3)
	r.guests = nil
	r.run(2).wantNone(id, "client4123")

	r = newRig(t, 3).blind(node.Failed, node.SourceLibvirt).run(2)
	if f := r.want(id, "client4123", report.Info, report.Operational); !containsFact(f.Against, "how many guests that is cannot be told") {
		t.Errorf("against: %+v", f.Against)
	}
}

// Windows without rxbounce in a crc mode is a warning, any other guest information;
// what cannot be told is not taken for either.
func TestKrbdNoRxbounce(t *testing.T) {
	const id = "krbd-no-rxbounce"
	for name, c := range map[string]struct {
		options *rbd.Options
		os      string
		want    report.Severity // empty: not raised
	}{
		"Windows":                       {&rbd.Options{}, "windows", report.Warning},
		"Windows, ms_mode=crc":          {&rbd.Options{MSMode: "crc"}, "windows", report.Warning},
		"Windows, ms_mode=prefer-crc":   {&rbd.Options{MSMode: "prefer-crc"}, "windows", report.Warning},
		"Windows, rxbounce":             {&rbd.Options{RxBounce: true}, "windows", ""},
		"Windows, ms_mode=secure":       {&rbd.Options{MSMode: "secure"}, "windows", ""},
		"Windows, prefer-secure":        {&rbd.Options{MSMode: "prefer-secure"}, "windows", ""},
		"Windows, nocrc":                {&rbd.Options{NoCRC: true}, "windows", report.Warning},
		"Windows, options not readable": {nil, "windows", ""},
		"Windows, an unknown mode":      {&rbd.Options{MSMode: "other"}, "windows", ""},
		"Linux":                         {&rbd.Options{}, "linux", report.Info},
		"a system not known":            {&rbd.Options{}, "", report.Info},
		"Linux, rxbounce":               {&rbd.Options{RxBounce: true}, "linux", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 0)
			r.addVM("guest1", c.os)
			r.mapped[0].Options = c.options
			r.run(2)
			if c.want == "" {
				r.wantNone(id, "")
				return
			}
			f := r.want(id, "", c.want, report.Operational)
			if unsure := containsFact(f.Against, "operating system is not known"); unsure != (c.os == "") {
				t.Errorf("against: %+v", f.Against)
			}
		})
	}
}

// Windows guests come first, in the summary and in the advice; and what cannot be
// told any more does not clear what was.
func TestKrbdNoRxbounceOrderAndSight(t *testing.T) {
	const id = "krbd-no-rxbounce"
	r := newRig(t, 3)
	windows(r)
	r.addVM("vm999", "linux")
	r.mapped[4].Options = nil
	f := r.run(3).want(id, "", report.Warning, report.Operational)
	if f.State != report.Seen || !strings.HasPrefix(f.Summary, "1 krbd disk of 1 Windows guest (win1) are mapped without rxbounce") || !strings.Contains(f.Evidence[0].Fact, "rbd3 (rbd/vm-104-disk-0, win1)") {
		t.Errorf("summary: %s\nevidence: %+v", f.Summary, f.Evidence)
	}
	if !strings.HasPrefix(commands(f), "rbd device map --options rxbounce rbd/vm-104-disk-0") || !containsFact(f.Against, "cannot tell for 1 krbd disk, whose options could not be read: rbd4") {
		t.Errorf("commands:\n%s\nagainst: %+v", commands(f), f.Against)
	}
	for i := range r.mapped {
		r.mapped[i].Options = nil
	}
	if f := r.run(60).want(id, "", report.Warning, report.Operational); f.State != report.Blind {
		t.Errorf("options unread: state %q", f.State)
	}
	r.mapped[3].Options = &rbd.Options{}
	if f := r.run(60).want(id, "", report.Warning, report.Operational); f.State != report.Seen {
		t.Errorf("options read again: state %q", f.State)
	}
	for i := range r.mapped {
		r.mapped[i].Options = &rbd.Options{}
	}
	r.blind(node.Failed, node.SourceLibvirt).run(60)
	if f := r.want(id, "", report.Warning, report.Operational); f.State == "" {
		t.Errorf("guests unseen: state %q", f.State)
	}
	r.blind("", node.SourceLibvirt)
	for i := range r.mapped {
		r.mapped[i].Options.RxBounce = true
	}
	r.run(2).wantNone(id, "")

	r = newRig(t, 2).run(2)
	r.mapped[0].Options, r.mapped[1].Options = nil, nil
	if f := r.run(2).want(id, "", report.Info, report.Operational); f.State != report.Blind {
		t.Errorf("of Linux guests, options unread: state %q", f.State)
	}

	r = newRig(t, 0)
	windows(r)
	windows(r)
	r.guests[0].Disks = append(r.guests[0].Disks, r.guests[1].Disks...)
	r.guests = r.guests[:1]
	r.addVM("", "")
	r.guests = r.guests[:1]
	f = r.run(2).want(id, "", report.Warning, report.Operational)
	if !strings.HasPrefix(f.Summary, "2 krbd disks of 1 Windows guest (win1)") || !containsFact(f.Against, "for 1 krbd disk the guest or its operating system is not known: rbd2") {
		t.Errorf("summary: %s\nagainst: %+v", f.Summary, f.Against)
	}

	r = newRig(t, 0)
	windows(r)
	r.host.Release, r.host.Version = "5.10.0-30-amd64", ""
	if f := r.run(2).want(id, "", report.Warning, report.Operational); strings.Contains(commands(f), "rxbounce") || !strings.Contains(f.Advice[0].Do, "Kernel 5.10.0-30-amd64 has no rxbounce") {
		t.Errorf("advice: %+v", f.Advice)
	}
}

func TestCanBounce(t *testing.T) {
	for release, want := range map[string]bool{"5.10.223": false, "5.14.0-503.el9": false, "5.15.100": true, "5.16.5": false, "5.17.0": true, "6.1.0-56-amd64": true, "strange": true} {
		r := newRig(t, 1)
		r.host = host.State{Release: release}
		if got := canBounce(Input{Snapshot: r.run(1).view.Snapshot}); got != want {
			t.Errorf("%s: %v, want %v", release, got, want)
		}
	}
	if !canBounce(Input{}) {
		t.Error("a host that has not been read")
	}
}

// Which releases a bug is in, at each end of its ranges.
func TestKernelBugAffects(t *testing.T) {
	for _, c := range []struct {
		bug     kernelBug
		release string
		want    certainty
	}{
		{sparseReadBug, "6.5.13", unaffected}, {sparseReadBug, "6.6.0", probably}, {sparseReadBug, "6.6", maybe},
		{sparseReadBug, "6.6.120", probably}, {sparseReadBug, "6.6.121", unaffected}, {sparseReadBug, "6.7.0", probably},
		{sparseReadBug, "6.8.12-4-pve", probably}, {sparseReadBug, "6.8.0-45-generic", probably},
		{sparseReadBug, "6.12.65", probably}, {sparseReadBug, "6.12.66", unaffected}, {sparseReadBug, "6.12.0-55.el10", maybe},
		{sparseReadBug, "6.13.1", probably}, {sparseReadBug, "6.18.5", probably}, {sparseReadBug, "6.18.6", unaffected},
		{sparseReadBug, "6.19.0", unaffected}, {sparseReadBug, "6.1.0-56-amd64", unaffected},
		{monmapBug, "2.6.33", unaffected}, {monmapBug, "2.6.34", probably}, {monmapBug, "4.18.0-553.el8", probably},
		{monmapBug, "5.10.264", probably}, {monmapBug, "5.10.265", unaffected}, {monmapBug, "5.11.0", probably},
		{monmapBug, "5.15.215", probably}, {monmapBug, "5.15.216", unaffected}, {monmapBug, "5.15.0-91-generic", maybe},
		{monmapBug, "6.1.182", probably}, {monmapBug, "6.1.192", unaffected}, {monmapBug, "6.6.147", probably},
		{monmapBug, "6.12.100", probably}, {monmapBug, "6.18.41", probably}, {monmapBug, "6.18.42", unaffected},
		{monmapBug, "7.0.3", probably}, {monmapBug, "7.1.5", probably}, {monmapBug, "7.1.6", unaffected}, {monmapBug, "7.2.0", unaffected},
	} {
		r, err := host.ParseRelease(c.release)
		if err != nil {
			t.Fatal(err)
		}
		if c.release == "6.6" {
			r.Exact = false
		}
		if got := c.bug.affects(r); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.bug.id, c.release, got, c.want)
		}
	}
}

// A bug is only of interest with a kernel client; its exposure is told.
func TestKernelKnownBug(t *testing.T) {
	const id, sparse, monmap = "kernel-known-bug", "CVE-2026-23136", "CVE-2026-68153"
	r := newRig(t, 1)
	r.host.Release, r.host.Version = "6.8.12-4-pve", ""
	f := r.run(2).want(id, sparse, report.Info, report.Operational)
	r.want(id, monmap, report.Info, report.Operational)
	if !strings.Contains(f.Summary, "kernel 6.8.12-4-pve is possibly affected (distributions backport fixes) by CVE-2026-23136") || !containsFact(f.Against, "no kernel CephFS mount") || !containsFact(f.Against, "no line of the sparse-read loop") {
		t.Errorf("summary: %s\nagainst: %+v", f.Summary, f.Against)
	}
	if !strings.Contains(commands(f), "zgrep -s CVE-2026-23136 /usr/share/doc/*-6.8.12-4-pve*/changelog*") {
		t.Errorf("commands:\n%s", commands(f))
	}
	r.host.CephFS = true
	f = r.log(kmsg.SparseRead, "osd3", 4).run(2).want(id, sparse, report.Info, report.Operational)
	if !containsFact(f.Evidence, "4 lines of the sparse-read loop were logged") || !containsFact(f.Evidence, "CephFS is mounted") || len(f.Against) != 0 {
		t.Errorf("evidence: %+v\nagainst: %+v", f.Evidence, f.Against)
	}
	r.mapped, r.disks = nil, nil
	r.run(2).want(id, sparse, report.Info, report.Operational)
	r.host.CephFS = false
	r.run(2).wantNone(id, sparse)

	r = newRig(t, 1).run(2) // Debian's 6.1.192
	r.wantNone(id, sparse)
	r.wantNone(id, monmap)
	r.host.Release, r.host.Version = "a kernel", ""
	r.run(2).wantNone(id, monmap)
}
