package rbd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// qemuAskAgain is after how many reads a process is asked again that did not
// answer: each time may cost a probe.
const qemuAskAgain = 20

// Processes reads the guests of a host from its processes, for hosts without
// libvirt: QEMU's and, with Proxmox, containers'. It is not safe for concurrent use.
type Processes struct {
	proc   fs.FS
	ask    func(context.Context, Process) (Guest, error)
	opened func(context.Context, []Process) ([]Opened, error)
	number func(path string) (major, minor uint32, ok bool)
	known  map[qemuKey]qemuKnown
	turn   int
}

type qemuKey struct {
	pid   int
	start uint64
}

// qemuKnown is what came of asking for a process.
type qemuKnown struct {
	guest  Guest
	err    error
	again  int      // the turn to ask again; 0: never
	opened []string // the devices that it had open when that was last known
}

// NewProcesses returns a reader of a file system rooted at /proc. ask gets what
// ReadQEMU makes of a process, from the probe, and is called once for each
// process; one that fails, again after 20 reads, and with ErrNotAsked at the next.
// opened gets what ReadOpened reads, from the probe, once a read. number is
// DeviceNumber.
func NewProcesses(proc fs.FS, ask func(context.Context, Process) (Guest, error), opened func(context.Context, []Process) ([]Opened, error), number func(path string) (major, minor uint32, ok bool)) *Processes {
	return &Processes{proc: proc, ask: ask, opened: opened, number: number, known: map[qemuKey]qemuKnown{}}
}

// Read returns the guests there are, by name. A QEMU that has not answered yet is
// in the list, without disks, and Partly says so. Disks that were plugged in
// later are found by the devices that the process has open; their Target is the
// device's name.
func (r *Processes) Read(ctx context.Context) (Guests, error) {
	processes, err := ListQEMU(r.proc)
	if err != nil {
		return Guests{}, err
	}
	found, err := ListContainers(r.proc)
	if err != nil {
		return Guests{}, err
	}
	r.turn++
	var partly guestPartly
	partly.add(found.Partly)
	partly.remedy(found.Remedy)
	alive := make(map[qemuKey]qemuKnown, len(processes))
	for _, p := range processes {
		alive[qemuKey{p.PID, p.Start}] = r.guest(ctx, p)
	}
	opened, reason := r.open(ctx, processes)
	for _, p := range processes {
		key := qemuKey{p.PID, p.Start}
		k := alive[key]
		if k.err != nil {
			partly.of(k.guest.Name, k.err)
			if errors.Is(k.err, context.DeadlineExceeded) {
				partly.remedy(remedyStuck)
			}
		}
		o, has := opened[p.PID]
		if has && o.Err == "" {
			k.opened = o.Devices
			alive[key] = k
		} else if why := cmp.Or(reason, o.Err); why != "" {
			partly.add("disks plugged in after the start are not seen: " + why)
			if why == guestDenied {
				partly.remedy(remedyPtrace)
			}
		}
		found.Guests = append(found.Guests, r.plugged(k))
	}
	r.known = alive
	guestSort(found.Guests)
	found.Partly, found.Remedy = partly.String(), partly.remedies()
	return found, nil
}

// guest returns what is known of a process, and asks if it is time to.
func (r *Processes) guest(ctx context.Context, p Process) qemuKnown {
	k, ok := r.known[qemuKey{p.PID, p.Start}]
	if ok && (k.again == 0 || r.turn < k.again) {
		return k
	}
	if ctx.Err() != nil {
		return qemuKnown{guest: Guest{}.of(p), err: ErrNotAsked, again: r.turn + 1, opened: k.opened}
	}
	g, err := r.ask(ctx, p)
	k = qemuKnown{guest: g.of(p), err: err, opened: k.opened}
	if err != nil && g.Name == "" {
		k.again = r.turn + qemuAskAgain
		if errors.Is(err, ErrNotAsked) {
			k.again = r.turn + 1
		}
	}
	k.guest.Disks = guestNumbers(k.guest.Disks, r.number)
	return k
}

// ErrNotAsked says that a process was not asked for its command line yet, so that
// to ask it costs no more than before.
var ErrNotAsked = errors.New("not asked yet")

// open asks which devices the processes have open, and returns why nothing is known.
func (r *Processes) open(ctx context.Context, processes []Process) (of map[int]Opened, reason string) {
	if len(processes) == 0 {
		return nil, ""
	}
	list, err := r.opened(ctx, processes)
	if err != nil {
		return nil, guestReason(err)
	}
	of = make(map[int]Opened, len(list))
	for _, o := range list {
		of[o.PID] = o
	}
	return of, ""
}

// plugged is the guest with the disks that its process has open and its command
// line lacks.
func (r *Processes) plugged(k qemuKnown) Guest {
	disks := slices.Clone(k.guest.Disks)
	for _, device := range k.opened {
		major, minor, ok := r.number(device)
		if !ok || len(disks) >= guestDisksMax || slices.ContainsFunc(disks, func(d Disk) bool { return d.Major == major && d.Minor == minor }) {
			continue
		}
		d := guestPathDisk(device)
		d.Target, d.Major, d.Minor = path.Base(device), major, minor
		disks = append(disks, d)
	}
	k.guest.Disks = disks
	return k.guest
}

// guestSort sorts guests by name, and by ID where names are the same.
func guestSort(guests []Guest) {
	slices.SortFunc(guests, func(a, b Guest) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
}

// What makes readable what could not be read.
const (
	remedyPtrace = "give nodewatch CAP_SYS_PTRACE, which the kernel asks for to read /proc/PID/fd and mountinfo of other users' processes"
	remedyStuck  = "see what such a QEMU waits for: `cat /proc/PID/stack` as root; it is asked again by itself"
	remedyXML    = "see what holds such a domain: `virsh domjobinfo NAME`; it is asked again by itself"
)

// guestPartly gathers what of a view could not be read, for people: each thing
// once, and of the guests that share a reason the first three by name.
type guestPartly struct {
	reasons []string
	names   map[string][]string
	mend    []string
}

// remedy adds what would make something readable.
func (p *guestPartly) remedy(text string) {
	if text != "" && !slices.Contains(p.mend, text) {
		p.mend = append(p.mend, text)
	}
}

// remedies is empty if nothing is known to help.
func (p *guestPartly) remedies() string { return strings.Join(p.mend, "; ") }

// add adds a reason that is no guest's in particular.
func (p *guestPartly) add(reason string) {
	if reason != "" && !slices.Contains(p.reasons, reason) {
		p.reasons = append(p.reasons, reason)
	}
}

// of adds a reason for one guest.
func (p *guestPartly) of(name string, err error) {
	if p.names == nil {
		p.names = map[string][]string{}
	}
	reason := guestReason(err)
	p.add(reason)
	p.names[reason] = append(p.names[reason], name)
}

// String is empty if all could be read.
func (p *guestPartly) String() string {
	texts := make([]string, 0, len(p.reasons))
	for _, reason := range p.reasons {
		switch names := p.names[reason]; {
		case len(names) == 0:
			texts = append(texts, reason)
		case len(names) <= 3:
			texts = append(texts, strings.Join(names, ", ")+": "+reason)
		default:
			texts = append(texts, fmt.Sprintf("%s and %d more: %s", strings.Join(names[:3], ", "), len(names)-3, reason))
		}
	}
	if len(texts) > 8 {
		texts = append(texts[:8], fmt.Sprintf("and %d more reasons", len(texts)-8))
	}
	return strings.Join(texts, "; ")
}

// guestDenied is the reason of what may not be read.
const guestDenied = "permission denied"

// guestReason is an error without the name of the package and of what differs
// from guest to guest, so that like reasons are said once.
func guestReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return guestDenied
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "did not answer in time"
	}
	return guestText(strings.TrimPrefix(err.Error(), "rbd: "))
}
