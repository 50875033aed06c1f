package rbd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// What makes readable what could not be read.
const (
	remedyPtrace  = "let the probe read /proc/PID/fd and root: give nodewatch CAP_SYS_PTRACE, as systemd/nodewatch.service does unless a drop-in removes it"
	remedyThreads = "start such a QEMU with -name NAME,debug-threads=on, as libvirt and Proxmox do"
	remedyStuck   = "see what such a QEMU waits for: `cat /proc/PID/stack` as root; it is asked again by itself"
	remedySockets = "name only the daemon that runs the guests in the configuration's libvirt.sockets"
	remedyXML     = "see what holds such a domain: `virsh domjobinfo NAME`; it is asked again by itself"
)

// guestPartly gathers what of a view could not be read, for people: each thing
// once, and of the guests that share a reason the first three by name.
type guestPartly struct {
	reasons []string
	names   map[string][]string
	fixes   []string
}

// remedy adds what would make something readable.
func (p *guestPartly) remedy(text string) {
	if text != "" && !slices.Contains(p.fixes, text) {
		p.fixes = append(p.fixes, text)
	}
}

// remedies is empty if nothing is known to help.
func (p *guestPartly) remedies() string { return strings.Join(p.fixes, "; ") }

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
