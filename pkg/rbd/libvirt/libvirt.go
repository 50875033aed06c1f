// Package libvirt reads the guests of a host from libvirt's daemon, over its
// read-only socket.
package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// A Reader reads the active domains of a host from libvirt's daemon, over its
// read-only socket and one connection that is kept. It asks one thing at a time.
// It is not safe for concurrent use.
//
// The XML of a domain is asked for once, again after an event about a changed disk or
// throttle, or when the disks that the statistics name have changed, and every 30th
// reading, a thirtieth of the domains at a time.
type Reader struct {
	sockets  []string
	number   func(path string) (major, minor uint32, ok bool)
	uri      libvirt.ConnectURI
	dial     func(ctx context.Context, socket string) (net.Conn, error)
	patience func(context.Context) (context.Context, context.CancelFunc) // for one domain's XML
	conn     *packetConn
	rpc      *libvirt.Libvirt // over conn; nil: not connected
	asked    string           // the socket of conn
	others   []string         // sockets of other installations that answer too
	known    map[domainKey]knownDomain
	turn     int
	changed  *changedDomains
}

// patience is how long one domain's XML may take: the call may wait for the
// domain, and one stuck domain must not hide the others.
const patience = 2 * time.Second

// New returns a reader of the first of the sockets that answers; Partly says
// which that is where another installation's answers too. number is rbd.DeviceNumber;
// nil: no device numbers.
func New(sockets []string, number func(path string) (major, minor uint32, ok bool)) *Reader {
	return &Reader{
		sockets: sockets, number: number, uri: libvirt.QEMUSystem,
		dial: func(ctx context.Context, socket string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		patience: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, patience)
		},
		known: map[domainKey]knownDomain{}, changed: &changedDomains{},
	}
}

// Read returns the active domains, by name. When ctx ends it closes the
// connection, so that no call outlives it, and the next Read makes a new one. The
// error wraps fs.ErrNotExist if there is no socket, and fs.ErrPermission if none
// may be used.
func (l *Reader) Read(ctx context.Context) (rbd.Guests, error) {
	l.turn++
	if err := l.connect(ctx); err != nil {
		return rbd.Guests{}, err
	}
	if l.turn%refreshEvery == 0 {
		l.others = l.elsewhere(ctx)
	}
	var partly guest.Partly
	if len(l.others) > 0 {
		partly.Add("several libvirt daemons answer: " + l.asked + " is asked, " + strings.Join(l.others, ", ") + " is not")
		partly.Remedy(remedySockets)
	}
	seen, err := l.domains(ctx, &partly)
	if err != nil {
		return rbd.Guests{}, err
	}
	return l.guests(ctx, seen, &partly)
}

// Close closes the connection, without a word to the daemon: it might not answer.
func (l *Reader) Close() {
	if l.conn != nil {
		l.conn.Close()
	}
	l.conn, l.rpc = nil, nil
}

// connect makes the connection, if there is none.
func (l *Reader) connect(ctx context.Context) error {
	if l.rpc != nil {
		return nil
	}
	conn, err := l.dialAny(ctx)
	if err != nil {
		return err
	}
	l.conn = newVirtConn(conn, l.changed)
	l.rpc = libvirt.NewWithDialer(dialers.NewAlreadyConnected(l.conn))
	rpc := l.rpc
	if err = l.call(ctx, "connect", func() error { return rpc.ConnectToURI(l.uri) }); err != nil {
		l.Close()
		return err
	}
	l.others = l.elsewhere(ctx)
	return l.subscribe(ctx)
}

// dialAny dials the sockets in turn until one answers. Of several errors the one
// that says more than that there is no socket is returned.
func (l *Reader) dialAny(ctx context.Context) (net.Conn, error) {
	worst := fmt.Errorf("rbd: libvirt: no socket: %w", fs.ErrNotExist)
	for _, socket := range l.sockets {
		conn, err := l.dial(ctx, socket)
		if err == nil {
			l.asked = socket
			return conn, nil
		}
		if errors.Is(worst, fs.ErrNotExist) {
			worst = fmt.Errorf("rbd: libvirt: %w", err)
		}
	}
	return nil, worst
}

// elsewhere returns the sockets that answer in other directories than that of the one
// that is asked, of each directory the first. Those beside it are of the same
// installation, and connecting might start a daemon that reports the same guests.
func (l *Reader) elsewhere(ctx context.Context) []string {
	home := func(socket string) string { return path.Dir(naming.RunPath(socket)) }
	dirs := map[string]bool{home(l.asked): true}
	var others []string
	for _, socket := range l.sockets {
		if dirs[home(socket)] {
			continue
		}
		if conn, err := l.dial(ctx, socket); err == nil {
			conn.Close()
			dirs[home(socket)] = true
			others = append(others, socket)
		}
	}
	return others
}

// call makes one call. When ctx ends first it closes the connection, which makes
// go-libvirt's call return: it knows neither contexts nor deadlines. An error
// that is libvirt's answer leaves the connection as it is; after any other it is
// closed, and the next Read makes a new one.
func (l *Reader) call(ctx context.Context, what string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("rbd: libvirt: %s: %w", what, context.Cause(ctx))
	}
	conn := l.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := f()
	if !stop() {
		l.Close()
		return fmt.Errorf("rbd: libvirt: %s: %w", what, context.Cause(ctx))
	}
	if err == nil {
		return nil
	}
	if !answered(err) {
		if fault, ok := conn.fault.Load().(error); ok {
			err = fault
		}
		l.Close()
	}
	if isDenied(err) {
		return fmt.Errorf("rbd: libvirt: %s: %w: %w", what, fs.ErrPermission, err)
	}
	return fmt.Errorf("rbd: libvirt: %s: %w", what, err)
}

// answered reports whether an error is what libvirt answered.
func answered(err error) bool {
	var answer libvirt.Error
	return errors.As(err, &answer) || errors.Is(err, libvirt.ErrUnsupported)
}

// isDenied reports whether libvirt answered that the caller may not.
func isDenied(err error) bool {
	var answer libvirt.Error
	if !errors.As(err, &answer) {
		return false
	}
	switch libvirt.ErrorNumber(answer.Code) {
	case libvirt.ErrAuthFailed, libvirt.ErrAuthCancelled, libvirt.ErrAuthUnavailable, libvirt.ErrAccessDenied, libvirt.ErrOperationDenied:
		return true
	}
	return false
}
