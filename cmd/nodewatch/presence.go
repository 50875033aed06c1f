package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// runtimeHome is the runtime directory that systemd/nodewatch.service creates:
// commands search for the daemon there.
const runtimeHome = "/run/nodewatch"

// The files of the daemon in its runtime directory.
const (
	presenceName = "daemon.json"    // readable for all users
	socketName   = "nodewatch.sock" // accessible to root and to the service's user and group
)

// socketConnections is the maximum number of connections on the socket, which
// commands use.
const socketConnections = 20

// runtimeDirectory returns the daemon's runtime directory; empty: it has none.
func runtimeDirectory(c config.Config) string {
	if c.Runtime != "" {
		return c.Runtime
	}
	dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	return dir
}

// A presence allows commands on the same machine to find the daemon. It contains no
// secret.
type presence struct {
	PID       int      `json:"pid"`
	Version   string   `json:"version"`
	Addresses []string `json:"addresses"` // addresses of the page for clients on this machine
	Config    string   `json:"config_file,omitempty"`
	State     string   `json:"state_directory"`
}

// An announcer maintains the presence of this daemon in dir; empty: there is none.
type announcer struct {
	dir string
	mu  sync.Mutex
	is  presence
}

// up records that the page is served at the address.
func (a *announcer) up(address string) error {
	if a.dir == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.is.Addresses = append(a.is.Addresses, reachable(address))
	raw, err := json.MarshalIndent(a.is, "", "  ")
	if err != nil {
		return err
	}
	return statefile.Write(a.dir, presenceName, append(raw, '\n'), 0o644)
}

// over removes the presence and the socket.
func (a *announcer) over() {
	if a.dir != "" {
		_ = os.Remove(filepath.Join(a.dir, presenceName))
		_ = os.Remove(filepath.Join(a.dir, socketName))
	}
}

// reachable returns the address of the page for clients on this machine.
func reachable(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	switch ip := net.ParseIP(u.Hostname()); {
	case ip == nil || !ip.IsUnspecified():
	case ip.To4() != nil:
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	default: // [::] accepts IPv4 too, depending on the kernel's settings; loopback always exists
		u.Host = net.JoinHostPort("::1", u.Port())
	}
	return u.String()
}

// serveSocket serves the views on the socket in the runtime directory until ctx ends.
// It requires no password from permitted users, and connections from the network do
// not count towards its limit.
func (s *server) serveSocket(ctx context.Context, dir string, handler http.Handler) error {
	name := filepath.Join(dir, socketName)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", name)
	if err != nil {
		return err
	}
	if err := os.Chmod(name, 0o660); err != nil {
		return errors.Join(err, l.Close())
	}
	srv := newServer(handler, limitedLog(s.log))
	context.AfterFunc(ctx, func() { shutDown(ctx, srv) })
	if err := srv.Serve(newConnLimit(socketConnections).listener(l)); ctx.Err() == nil {
		return err
	}
	return nil
}

// errNotTrusted means that another user may have written a file.
var errNotTrusted = errors.New("is not trusted: it must be owned by root, by the user nodewatch or by you, and must not be writable by other users")

// trusted reports whether the file belongs to root, to the service's user or to the
// caller, and no other user can have written it.
func trusted(info fs.FileInfo) bool {
	at, is := info.Sys().(*syscall.Stat_t)
	if !is || info.Mode()&fs.ModeSocket == 0 && info.Mode().Perm()&0o022 != 0 {
		return false
	}
	return at.Uid == 0 || int(at.Uid) == os.Geteuid() || at.Uid == serviceUser()
}

// serviceUser returns the id of the user that systemd/nodewatch.sysusers creates, or
// root's if it does not exist.
func serviceUser() uint32 {
	u, err := user.Lookup("nodewatch")
	if err != nil {
		return 0
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(id)
}

// maxPresence is the maximum size of a presence file, in bytes.
const maxPresence = 64 << 10

// readPresence returns the presence that a daemon has written to the directory, and
// its owner.
func readPresence(dir string) (p presence, owner uint32, err error) {
	name := filepath.Join(dir, presenceName)
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return p, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return p, 0, err
	}
	if !info.Mode().IsRegular() || !trusted(info) {
		return p, 0, fmt.Errorf("%s %w", name, errNotTrusted)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxPresence))
	if err != nil {
		return p, 0, err
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&p); err != nil {
		return presence{}, 0, fmt.Errorf("%s: %w", name, err)
	}
	p.Addresses = slices.DeleteFunc(p.Addresses, func(a string) bool { return wrongPageURL(a) != nil })
	return p, info.Sys().(*syscall.Stat_t).Uid, nil
}

// commandConfig returns the configuration for a command that runs alongside the
// daemon: that of the file, if one is named, or else that of the daemon that runs
// here.
func commandConfig(file string) (config.Config, error) {
	if file != "" {
		return readConfig(file)
	}
	c := config.Default()
	dir := runtimeDirectory(c)
	if dir == "" {
		dir = runtimeHome
	}
	p, owner, err := readPresence(dir)
	if err != nil {
		return c, nil //nolint:nilerr // there is no daemon, or none that is trusted
	}
	if p.Config != "" {
		read, err := readDaemonConfig(p.Config)
		if err == nil {
			c = read
		} else if !errors.Is(err, fs.ErrPermission) { // the defaults apply if the caller may not read it
			return c, fmt.Errorf("the daemon's configuration: %w", err)
		}
	}
	if p.State != "" && ownedBy(p.State, owner) {
		c.State = p.State
	}
	return c, nil
}

// readDaemonConfig reads the configuration file that a presence file names: only a
// regular file, because the service's user must not be able to block a command.
func readDaemonConfig(name string) (config.Config, error) {
	raw, err := httpclient.ReadRegular(name, config.MaxSize)
	if err != nil {
		return config.Config{}, err
	}
	return config.Read(name, bytes.NewReader(raw))
}

// ownedBy reports whether a presence file of the user id may name the directory: root
// may name any, other users only their own. The service's user must not direct root
// elsewhere.
func ownedBy(dir string, id uint32) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	at, is := info.Sys().(*syscall.Stat_t)
	return is && (id == 0 || at.Uid == id)
}
