package libvirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/digitalocean/go-libvirt"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// The intervals at which XML is requested again.
const (
	refreshEvery = 30 // readings until a domain's XML is requested again in any case
	askAgain     = 30 // readings until the XML is requested again after a failure
)

// The remedies for unreadable parts.
const (
	remedySockets = "list only the daemon that runs the guests in libvirt.sockets of the configuration"
	remedyXML     = "find out what blocks such a domain: `virsh domjobinfo NAME`; nodewatch retries automatically"
)

// A domainKey is one run of a domain: the ID changes when it is started again.
type domainKey struct {
	uuid libvirt.UUID
	id   int32
}

// knownDomain is what a domain's XML contained.
type knownDomain struct {
	guest rbd.Guest
	disks string // the disks in the statistics when the XML was requested
	err   error  // why there is no XML, or no newer one
	again int    // after err: the reading in which to request it again
}

// domains requests all active domains with their state and block statistics, in one
// call that does not wait for QEMU. If that fails, it requests only the list.
func (l *Reader) domains(ctx context.Context, partly *guest.Partly) ([]domainStats, error) {
	var records []libvirt.DomainStatsRecord
	err := l.call(ctx, "statistics", func() (err error) {
		records, err = l.rpc.ConnectGetAllDomainStats(nil,
			uint32(libvirt.DomainStatsState|libvirt.DomainStatsBlock),
			uint32(libvirt.ConnectGetAllDomainsStatsActive|libvirt.ConnectGetAllDomainsStatsNowait))
		return err
	})
	if err == nil {
		seen := make([]domainStats, 0, len(records))
		for _, r := range records {
			seen = append(seen, parseRecord(r))
		}
		return seen, nil
	}
	if !answered(err) {
		return nil, err
	}
	partly.Add(guest.Reason(err))
	return l.list(ctx)
}

func (l *Reader) list(ctx context.Context) ([]domainStats, error) {
	var list []libvirt.Domain
	err := l.call(ctx, "list", func() (err error) {
		list, _, err = l.rpc.ConnectListAllDomains(1, libvirt.ConnectListDomainsActive)
		return err
	})
	if err != nil {
		return nil, err
	}
	seen := make([]domainStats, 0, len(list))
	for _, d := range list {
		seen = append(seen, domainStats{domain: d})
	}
	return seen, nil
}

// guests combines the XML with the statistics, and forgets the domains that no longer
// exist.
func (l *Reader) guests(ctx context.Context, seen []domainStats, partly *guest.Partly) (rbd.Guests, error) {
	alive := make(map[domainKey]knownDomain, len(seen))
	var found rbd.Guests
	for _, s := range seen {
		key := domainKey{s.domain.UUID, s.domain.ID}
		k, err := l.describe(ctx, key, s)
		if err != nil {
			maps.Copy(l.known, alive) // the next reading continues from here
			return rbd.Guests{}, err
		}
		alive[key] = k
		if errors.Is(k.err, errVirtGone) {
			continue
		}
		found.Guests = append(found.Guests, k.with(s, partly))
	}
	l.known = alive
	guest.Sort(found.Guests)
	found.Partly, found.Remedy = partly.String(), partly.Remedies()
	return found, nil
}

// with returns the guest with its current statistics.
func (k knownDomain) with(s domainStats, partly *guest.Partly) rbd.Guest {
	g := k.guest
	if k.err != nil {
		partly.Of(g.Name, k.err)
		if errors.Is(k.err, context.DeadlineExceeded) {
			partly.Remedy(remedyXML)
		}
	}
	if slices.ContainsFunc(g.Disks, func(d rbd.Disk) bool { return d.Client == rbd.NoClient && d.Path == "" && d.Image != "" }) {
		partly.Of(g.Name, errVirtVolume)
	}
	g.State, g.Reason, g.IO = s.state, s.reason, s.io()
	g.Stalled = s.stalled(g.Disks)
	return g
}

var (
	errVirtVolume  = errors.New("a disk is a storage pool volume whose path is not in the domain XML")
	errVirtPending = errors.New("not described yet")
	errVirtGone    = errors.New("the domain is gone")
)

// describe returns the known description of a domain, and requests its XML if that is
// due. The error is ctx's; that of the domain is in the description.
func (l *Reader) describe(ctx context.Context, key domainKey, s domainStats) (knownDomain, error) {
	k, known := l.known[key]
	changed := l.rpc != nil && l.changed.take(key.uuid)
	switch {
	case !known:
		k.guest = rbd.Guest{Name: naming.Text(s.domain.Name), ID: uuid(key.uuid), Kind: "vm"}
	case k.err != nil && !changed && l.turn < k.again:
		return k, nil
	case k.err == nil && !changed && k.disks == s.disks() && (l.turn+int(key.uuid[15]))%refreshEvery != 0:
		return k, nil
	}
	if l.rpc == nil { // an earlier domain closed the connection
		if !known {
			k.err, k.again = errVirtPending, l.turn+1
		}
		return k, nil
	}
	text, err := l.xml(ctx, s.domain)
	if ctx.Err() != nil {
		return k, err
	}
	return l.described(k, s, text, err), nil
}

// xml requests one domain's XML, without the secrets, which the read-only socket
// would not return.
func (l *Reader) xml(ctx context.Context, d libvirt.Domain) (text string, err error) {
	patient, cancel := l.patience(ctx)
	defer cancel()
	err = l.call(patient, "description", func() (err error) {
		text, err = l.rpc.DomainGetXMLDesc(d, 0)
		return err
	})
	return text, err
}

// described stores a domain's XML, or the error of its request. The previous
// description stays if there is no newer one.
func (l *Reader) described(k knownDomain, s domainStats, text string, err error) knownDomain {
	var g rbd.Guest
	if err == nil {
		g, err = ParseDomain([]byte(text))
	}
	if err != nil {
		if libvirt.IsNotFound(err) {
			err = errVirtGone
		}
		k.err, k.again = err, l.turn+askAgain
		return k
	}
	g.ID, g.Disks = k.guest.ID, guest.FillNumbers(g.Disks, l.number)
	return knownDomain{guest: g, disks: s.disks()}
}

// uuid formats a UUID as libvirt does.
func uuid(u libvirt.UUID) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
