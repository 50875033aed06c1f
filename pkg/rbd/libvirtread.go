package rbd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/digitalocean/go-libvirt"
)

// How often XML is asked for again.
const (
	virtRefresh = 30 // readings until a domain's XML is read again in any case
	virtAgain   = 30 // readings until a domain that did not give it is asked again
)

// A virtKey is one run of a domain: the ID changes when it is started again.
type virtKey struct {
	uuid libvirt.UUID
	id   int32
}

// virtKnown is what is known of a domain from its XML.
type virtKnown struct {
	guest Guest
	disks string // what the statistics said of the disks when the XML was asked for
	err   error  // why there is no XML, or none new
	again int    // after err: the turn to ask again
}

// domains asks for all active domains with their state and block statistics, in
// one call that waits for no QEMU. Where that fails it asks for the list alone.
func (l *Libvirt) domains(ctx context.Context, partly *guestPartly) ([]virtSeen, error) {
	var records []libvirt.DomainStatsRecord
	err := l.call(ctx, "statistics", func() (err error) {
		records, err = l.rpc.ConnectGetAllDomainStats(nil,
			uint32(libvirt.DomainStatsState|libvirt.DomainStatsBlock),
			uint32(libvirt.ConnectGetAllDomainsStatsActive|libvirt.ConnectGetAllDomainsStatsNowait))
		return err
	})
	if err == nil {
		seen := make([]virtSeen, 0, len(records))
		for _, r := range records {
			seen = append(seen, virtRecord(r))
		}
		return seen, nil
	}
	if !virtAnswered(err) {
		return nil, err
	}
	partly.add(guestReason(err))
	return l.list(ctx)
}

func (l *Libvirt) list(ctx context.Context) ([]virtSeen, error) {
	var list []libvirt.Domain
	err := l.call(ctx, "list", func() (err error) {
		list, _, err = l.rpc.ConnectListAllDomains(1, libvirt.ConnectListDomainsActive)
		return err
	})
	if err != nil {
		return nil, err
	}
	seen := make([]virtSeen, 0, len(list))
	for _, d := range list {
		seen = append(seen, virtSeen{domain: d})
	}
	return seen, nil
}

// guests puts together what the XML and the statistics say, and forgets the
// domains that are gone.
func (l *Libvirt) guests(ctx context.Context, seen []virtSeen, partly *guestPartly) (Guests, error) {
	alive := make(map[virtKey]virtKnown, len(seen))
	var found Guests
	for _, s := range seen {
		key := virtKey{s.domain.UUID, s.domain.ID}
		k, err := l.describe(ctx, key, s)
		if err != nil {
			maps.Copy(l.known, alive) // the next reading continues from here
			return Guests{}, err
		}
		alive[key] = k
		if errors.Is(k.err, errVirtGone) {
			continue
		}
		found.Guests = append(found.Guests, k.with(s, partly))
	}
	l.known = alive
	guestSort(found.Guests)
	found.Partly, found.Remedy = partly.String(), partly.remedies()
	return found, nil
}

// with returns the guest as the statistics show it now.
func (k virtKnown) with(s virtSeen, partly *guestPartly) Guest {
	g := k.guest
	if k.err != nil {
		partly.of(g.Name, k.err)
		if errors.Is(k.err, context.DeadlineExceeded) {
			partly.remedy(remedyXML)
		}
	}
	if slices.ContainsFunc(g.Disks, func(d Disk) bool { return d.Client == NoClient && d.Path == "" && d.Image != "" }) {
		partly.of(g.Name, errVirtVolume)
	}
	g.State, g.Reason, g.IO = s.state, s.reason, s.io()
	g.Stalled = s.stalled(g.Disks)
	return g
}

var (
	errVirtVolume  = errors.New("a disk is a volume of a storage pool that the description does not resolve")
	errVirtPending = errors.New("not described yet")
	errVirtGone    = errors.New("the domain is gone")
)

// describe returns what is known of a domain, and asks for its XML if it is time
// to. The error is ctx's; that of the domain is in what is known.
func (l *Libvirt) describe(ctx context.Context, key virtKey, s virtSeen) (virtKnown, error) {
	k, known := l.known[key]
	changed := l.rpc != nil && l.changed.take(key.uuid)
	switch {
	case !known:
		k.guest = Guest{Name: guestText(s.domain.Name), ID: virtUUID(key.uuid), Kind: "vm"}
	case k.err != nil && !changed && l.turn < k.again:
		return k, nil
	case k.err == nil && !changed && k.disks == s.disks() && (l.turn+int(key.uuid[15]))%virtRefresh != 0:
		return k, nil
	}
	if l.rpc == nil { // an earlier domain cost the connection
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

// xml asks for one domain's XML, without the secrets, which the read-only socket
// would not give.
func (l *Libvirt) xml(ctx context.Context, d libvirt.Domain) (text string, err error) {
	patient, cancel := l.patience(ctx)
	defer cancel()
	err = l.call(patient, "description", func() (err error) {
		text, err = l.rpc.DomainGetXMLDesc(d, 0)
		return err
	})
	return text, err
}

// described takes a domain's XML in, or the error that came instead. What was
// known of it before stays if there is nothing newer.
func (l *Libvirt) described(k virtKnown, s virtSeen, text string, err error) virtKnown {
	var g Guest
	if err == nil {
		g, err = ParseDomain([]byte(text))
	}
	if err != nil {
		if libvirt.IsNotFound(err) {
			err = errVirtGone
		}
		k.err, k.again = err, l.turn+virtAgain
		return k
	}
	g.ID, g.Disks = k.guest.ID, guestNumbers(g.Disks, l.number)
	return virtKnown{guest: g, disks: s.disks()}
}

// virtUUID writes a UUID as libvirt does.
func virtUUID(u libvirt.UUID) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
