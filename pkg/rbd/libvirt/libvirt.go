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
// read-only socket and one persistent connection. It makes one call at a time. It is
// not safe for concurrent use.
//
// It requests the XML of a domain once, again after an event about a changed disk or
// throttle or when the disks in the statistics have changed, and every 30th reading,
// a thirtieth of the domains at a time.
type Reader struct {
	sockets  []string
	number   func(path string) (major, minor uint32, ok bool)
	uri      libvirt.ConnectURI
	dial     func(ctx context.Context, socket string) (net.Conn, error)
	patience func(context.Context) (context.Context, context.CancelFunc) // timeout for one domain's XML
	conn     *packetConn
	rpc      *libvirt.Libvirt // over conn; nil: not connected
	asked    string           // path of conn's socket
	others   []string         // sockets of other installations that also respond
	known    map[domainKey]knownDomain
	turn     int
	changed  *changedDomains
}

// patience is the timeout for one domain's XML: the call may wait for the domain, and
// one stuck domain must not hide the others.
const patience = 2 * time.Second

// New returns a reader of the first of the sockets that responds. If another
// installation also responds, Partly names the one that is read. number is
// rbd.DeviceNumber; nil: no device numbers.
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

// Read returns the active domains, by name. When ctx ends it closes the connection,
// so that no call outlives it, and the next Read connects again. The error wraps
// fs.ErrNotExist if no socket exists, and fs.ErrPermission if none may be used.
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

// Close closes the connection without notifying the daemon, which might not respond.
func (l *Reader) Close() {
	if l.conn != nil {
		l.conn.Close()
	}
	l.conn, l.rpc = nil, nil
}

// connect connects, if not connected yet.
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

// dialAny dials the sockets in turn until one responds. If all fail, it prefers an
// error other than that the socket does not exist.
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

// elsewhere returns the responding sockets outside the directory of the socket that
// is read, the first of each directory. Sockets in the same directory belong to the
// same installation, and connecting to one might start a daemon that reports the same
// guests.
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

// call makes one call. If ctx ends first, it closes the connection, which makes
// go-libvirt's call return: go-libvirt supports neither contexts nor deadlines. If
// the error is libvirt's reply, the connection stays open; after any other error it
// is closed, and the next Read connects again.
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

// answered reports whether an error is libvirt's reply.
func answered(err error) bool {
	var answer libvirt.Error
	return errors.As(err, &answer) || errors.Is(err, libvirt.ErrUnsupported)
}

// isDenied reports whether libvirt denied the caller access.
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
