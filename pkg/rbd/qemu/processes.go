// Package qemu reads the guests of a host from its processes: the virtual machines of
// QEMU and cloud-hypervisor, LXC containers, and the exports of rbd-nbd, qemu-nbd and
// qemu-storage-daemon.
package qemu

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// askAgain is the number of reads after which a failed query of a process is
// repeated: each query may cost a probe.
const askAgain = 20

// openedEvery is the number of reads between two queries of a process's open files.
// The queries are spread over the reads, as a host has tens of thousands of open
// files.
const openedEvery = 4

// openedAtOnce is the number of processes in one query of open files.
const openedAtOnce = 64

// The remedies for unreadable parts.
const (
	remedyPtrace  = "allow the probe to read /proc/PID/fd and root: give nodewatch CAP_SYS_PTRACE, as systemd/nodewatch.service does unless a drop-in removes it"
	remedyThreads = "start such a QEMU with -name NAME,debug-threads=on, as libvirt and Proxmox do"
	remedyStuck   = "find out what such a QEMU is waiting for: `cat /proc/PID/stack` as root; nodewatch retries automatically"
)

// Processes reads the guests of a host from its processes: those of virtual machine
// monitors and, with Proxmox, containers. vmm.go describes which processes count as a
// guest's. It is not safe for concurrent use.
type Processes struct {
	table  *processTable
	ask    Asks
	devs   func() ([]ServedDevice, error)
	loops  loopFiles
	vcpus  vcpuWatch
	known  map[processKey]*knownProcess
	served map[processKey]*serverKnown
	turn   int
}

// Asks are the reads that may hang, or need capabilities: the probe performs them.
type Asks struct {
	Guest   func(context.Context, Process) (Description, error)        // ReadGuest
	Opened  func(context.Context, []Process) ([]Opened, error)         // ReadOpened
	Exports func(context.Context, Process) ([]rbd.Export, error)       // ReadExports
	Systems func(context.Context, []string) (map[string]string, error) // ReadSystems
}

type processKey struct {
	pid   int
	start uint64
}

// knownProcess is the result of querying a process.
type knownProcess struct {
	guest   rbd.Guest
	err     error
	again   int    // the read in which to query again; 0: never
	opened  Opened // last known description
	asked   bool   // its open files, or why they are unknown
	at      int    // the read from which to query those
	comm    string // name of the process when it was queried
	refused bool   // it is not a guest

	described bool // it was queried, and is a guest
	denied    bool // err is due to a missing capability
	systems   bool // Proxmox's ostype has been queried
}

// serverKnown is the exports of a process.
type serverKnown struct {
	exports []rbd.Export
	err     error
	again   int
}

// NewProcesses returns a reader of proc, which is rooted at /proc. devices is ReadServed
// of the host's /sys. It queries each process once with Guest and Exports. It repeats a
// failed query after 20 reads, and in the next read if the error is ErrNotAsked.
func NewProcesses(proc fs.FS, ask Asks, devices func() ([]ServedDevice, error)) *Processes {
	return &Processes{
		table: newProcessTable(proc), ask: ask, devs: devices, vcpus: newVCPUWatch(proc),
		known: map[processKey]*knownProcess{}, served: map[processKey]*serverKnown{},
	}
}

// Read returns the current guests, by name. A process that has not been queried yet
// is listed without disks and mentioned in Partly. Disks that were plugged in later
// are found through the process's open files; their Target is the device's name.
func (r *Processes) Read(ctx context.Context) (rbd.Guests, error) {
	processes, err := r.table.read()
	if err != nil {
		return rbd.Guests{}, err
	}
	r.turn++
	var partly guest.Partly
	found := rbd.Guests{Guests: r.containers(processes, &partly), Exports: r.exports(ctx, processes, &partly)}
	found.Guests = append(found.Guests, r.machines(ctx, processes, &partly)...)
	found.Guests = rbd.ResolveExports(found.Guests, found.Exports)
	guest.Sort(found.Guests)
	found.Partly, found.Remedy = partly.String(), partly.Remedies()
	return found, nil
}

// machines returns the virtual machines.
func (r *Processes) machines(ctx context.Context, list []*procEntry, partly *guest.Partly) []rbd.Guest {
	alive := make(map[processKey]*knownProcess, len(r.known))
	var entries []*procEntry
	for _, e := range list {
		if !e.vm || len(entries) == processesMax {
			continue
		}
		key := processKey{e.PID, e.Start}
		k := r.known[key]
		if k == nil || k.comm != e.Comm { // a wrapper may have become QEMU
			k = &knownProcess{guest: guestOf(rbd.Guest{}, e.Process), comm: e.Comm, err: ErrNotAsked, again: r.turn}
		}
		alive[key] = k
		entries = append(entries, e)
	}
	r.known = alive
	r.askOrdinary(ctx, entries)
	var guests []*knownProcess
	var machines []Process
	for _, e := range entries {
		k := alive[processKey{e.PID, e.Start}]
		if e.ordinary && !k.opened.Machine || k.refused {
			continue
		}
		if r.describe(ctx, e.Process, k); !k.refused && (k.described || vmmComm(e.Comm)) {
			guests, machines = append(guests, k), append(machines, e.Process)
		}
	}
	r.askOpened(ctx, machines)
	r.askSystems(ctx, machines)
	r.vcpus.read(machines)
	result := make([]rbd.Guest, 0, len(guests))
	for i, k := range guests {
		if k.err != nil {
			partly.Of(k.guest.Name, k.err)
			if errors.Is(k.err, context.DeadlineExceeded) {
				partly.Remedy(remedyStuck)
			}
			if k.denied {
				partly.Remedy(remedyPtrace)
			}
		}
		g := k.guest
		if why := k.opened.Err; why != "" || !k.asked {
			partly.Add("disks plugged in after the start are unknown: " + cmp.Or(why, ErrNotAsked.Error()))
			if k.opened.Denied {
				partly.Remedy(remedyPtrace)
			}
		}
		g.Disks = openedDisks(g.Disks, k.opened.Disks)
		g.State, g.Reason = r.vcpus.state(machines[i], g.Incoming)
		result = append(result, g)
	}
	r.vcpus.missing(partly)
	return result
}

// describe queries a process, if that is due.
func (r *Processes) describe(ctx context.Context, p Process, k *knownProcess) {
	if k.again == 0 || r.turn < k.again {
		return
	}
	if ctx.Err() != nil {
		k.err, k.again = ErrNotAsked, r.turn+1
		return
	}
	d, err := r.ask.Guest(ctx, p)
	if k.refused = d.NotGuest; k.refused {
		return
	}
	k.described = k.described || err == nil
	system, by := k.guest.OS, k.guest.OSBy
	if k.guest, k.err, k.again = guestOf(d.Guest, p), err, 0; system != "" {
		k.guest.OS, k.guest.OSBy = system, by // Proxmox's word
	}
	switch {
	case errors.Is(err, ErrNotAsked):
		k.again = r.turn + 1
	case err != nil:
		k.again = r.turn + askAgain
	case d.Err != "":
		k.err = errors.New(d.Err)
	}
	k.denied = d.Denied
}

// ErrNotAsked reports that a process's command line has not been queried yet, so that
// a later query costs no more than before.
var ErrNotAsked = errors.New("not asked yet")

// askOrdinary queries the open files of processes that any user could have started:
// further queries are only made for those with a machine in KVM.
func (r *Processes) askOrdinary(ctx context.Context, entries []*procEntry) {
	var list []Process
	for _, e := range entries {
		if k := r.known[processKey{e.PID, e.Start}]; e.ordinary && !k.asked {
			list = append(list, e.Process)
		}
	}
	r.askOpened(ctx, list)
}

// askOpened queries the open files of processes that are due.
func (r *Processes) askOpened(ctx context.Context, list []Process) {
	var due []Process
	for _, p := range list {
		if r.turn >= r.known[processKey{p.PID, p.Start}].at {
			due = append(due, p)
		}
	}
	for part := range slices.Chunk(due, openedAtOnce) {
		answers, err := r.ask.Opened(ctx, part)
		if err != nil {
			r.openedFailed(part, err)
			return
		}
		of := make(map[int]*Opened, len(answers))
		for i := range answers {
			of[answers[i].PID] = &answers[i]
		}
		for _, p := range part {
			k := r.known[processKey{p.PID, p.Start}]
			k.asked, k.at = true, r.turn+openedEvery-(r.turn+p.PID)%openedEvery
			if o := of[p.PID]; o != nil && o.Err == "" {
				k.opened = *o
			} else if o != nil {
				k.opened.Err, k.opened.Denied = o.Err, o.Denied
			} else {
				k.opened.Err = "" // it has ended
			}
		}
	}
}

// openedFailed delays the next query of processes whose open files may have cost a
// probe. Earlier results are kept.
func (r *Processes) openedFailed(list []Process, err error) {
	after := askAgain
	if errors.Is(err, ErrNotAsked) {
		after = 1
	}
	for _, p := range list {
		k := r.known[processKey{p.PID, p.Start}]
		k.at, k.opened.Err, k.opened.Denied = r.turn+after, guest.Reason(err), false
	}
}

// askSystems queries the systems of Proxmox's guests, once each.
func (r *Processes) askSystems(ctx context.Context, list []Process) {
	var vmids []string
	for _, p := range list {
		k := r.known[processKey{p.PID, p.Start}]
		if k.systems || p.Libvirt || !naming.Digits(p.VM) {
			continue
		}
		k.systems = true
		vmids = append(vmids, p.VM)
	}
	if len(vmids) == 0 {
		return
	}
	systems, err := r.ask.Systems(ctx, vmids)
	for _, p := range list {
		k := r.known[processKey{p.PID, p.Start}]
		switch system := systems[p.VM]; {
		case errors.Is(err, ErrNotAsked):
			k.systems = false
		case system != "" && !p.Libvirt:
			k.guest.OS, k.guest.OSBy = system, guest.OSByProxmox
		}
	}
}

// exports returns the exports of the processes that serve disks.
func (r *Processes) exports(ctx context.Context, list []*procEntry, partly *guest.Partly) []rbd.Export {
	alive := map[processKey]*serverKnown{}
	var exports []rbd.Export
	for _, e := range list {
		if !e.server || e.ordinary || len(alive) == processesMax {
			continue
		}
		key := processKey{e.PID, e.Start}
		k := r.served[key]
		if k == nil {
			k = &serverKnown{again: r.turn}
		}
		alive[key] = k
		if k.again != 0 && r.turn >= k.again {
			k.exports, k.err = r.ask.Exports(ctx, e.Process)
			switch k.again = 0; {
			case errors.Is(k.err, ErrNotAsked):
				k.again = r.turn + 1
			case k.err != nil:
				k.again = r.turn + askAgain
			}
		}
		if k.err != nil {
			partly.Add("which disks " + e.Comm + " serves is not known: " + guest.Reason(k.err))
		}
		exports = append(exports, k.exports...)
	}
	r.served = alive
	devices, err := r.devs()
	if err != nil {
		partly.Add("network block devices and loop devices: " + guest.Reason(err))
	}
	loops, err := r.loops.exports(r.table.proc, devices)
	if err != nil {
		partly.Add("which file systems the files of loop devices lie on: " + guest.Reason(err))
	}
	return append(exportsOf(exports, devices), loops...)
}

// openedDisks returns the disks completed with the process's open disks: a disk with
// the same name gets their number, whatever that name means on the host; the others
// are added.
func openedDisks(disks, opened []rbd.Disk) []rbd.Disk {
	if len(opened) == 0 {
		return disks
	}
	disks = slices.Clone(disks)
	for _, o := range opened {
		i := slices.IndexFunc(disks, func(d rbd.Disk) bool {
			return d.Path != "" && naming.RunPath(d.Path) == naming.RunPath(o.Path) || o.Major != 0 && d.Major == o.Major &&
				d.Minor == o.Minor
		})
		switch {
		case i >= 0 && o.Major != 0:
			disks[i].Major, disks[i].Minor = o.Major, o.Minor
		case i < 0 && len(disks) < rbd.MaxDisks:
			d := guest.PathDisk(o.Path)
			d.Target, d.Major, d.Minor = path.Base(o.Path), o.Major, o.Minor
			disks = append(disks, d)
		}
	}
	return disks
}
