//go:build ceph

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
	"github.com/ceph/go-ceph/rbd"

	"github.com/nodewatch/nodewatch/pkg/ceph"
)

// A live cluster is queried through librados. It is never shut down, because that can
// block indefinitely; the end of the process ends its sessions.
type live struct{ conn *rados.Conn }

// connect connects after setting every timeout: by default librados waits five
// minutes for monitors and indefinitely for a response.
func connect(req ceph.Request) (cluster, error) {
	conn, err := rados.NewConnWithClusterAndUser(req.Cluster, req.Name)
	if err != nil {
		return nil, fmt.Errorf("user %s of cluster %s: %w", req.Name, req.Cluster, err)
	}
	if err := readConfig(conn, req); err != nil {
		return nil, err
	}
	for _, o := range options(req) {
		if err := conn.SetConfigOption(o.name, o.value); err != nil {
			return nil, fmt.Errorf("option %s = %q: %w", o.name, o.value, err)
		}
	}
	if err := conn.Connect(); err != nil {
		return nil, fmt.Errorf("connect as %s: %w", req.Name, explained(err))
	}
	return live{conn}, nil
}

// explained describes an error of Connect, for which librados returns only a number.
func explained(err error) error {
	var coded interface{ ErrorCode() int }
	if !errors.As(err, &coded) {
		return err
	}
	switch syscall.Errno(-coded.ErrorCode()) {
	case syscall.EPERM, syscall.EACCES: // also without a keyring, because a user without a key is refused
		return refused{fmt.Errorf("no readable keyring, or wrong key for this user: %w", err)}
	case syscall.ENOENT:
		return fmt.Errorf("no monitors in the configuration: %w", err)
	}
	return err
}

// refused is a librados error that is an [fs.ErrPermission].
type refused struct{ error }

// Is makes it an [fs.ErrPermission] without repeating that text.
func (r refused) Is(target error) bool { return target == fs.ErrPermission }

// readConfig reads the configuration file, unless the monitors are given and no file
// is named.
func readConfig(conn *rados.Conn, req ceph.Request) error {
	switch {
	case req.Conf != "":
		if err := conn.ReadConfigFile(req.Conf); err != nil {
			return fmt.Errorf("configuration %s: %w", req.Conf, err)
		}
	case req.MonHost == "":
		if err := conn.ReadDefaultConfigFile(); err != nil {
			return fmt.Errorf("the default configuration: %w", err)
		}
	}
	return nil
}

type option struct{ name, value string }

// options returns the settings that override those of the configuration file and of
// the monitors' database: the timeouts, and everything that would write to a disk or
// a socket.
func options(req ceph.Request) []option {
	connect, operation := timeouts(req.Timeout)
	set := []option{
		{"client_mount_timeout", seconds(connect)},
		{"rados_mon_op_timeout", seconds(operation)},
		{"rados_osd_op_timeout", seconds(operation)},
		{"log_file", ""},
		{"log_to_file", "false"},
		{"log_to_stderr", "false"},
		{"err_to_stderr", "false"},
		{"log_to_syslog", "false"},
		{"err_to_syslog", "false"},
		{"admin_socket", ""},
		{"rbd_parent_cache_enabled", "false"}, // a cache on this host's disk
		{"rbd_plugins", ""},                   // another
	}
	if req.MonHost != "" {
		set = append(set, option{"mon_host", req.MonHost})
	}
	if req.Keyring != "" {
		set = append(set, option{"keyring", req.Keyring})
	}
	return set
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

func (l live) fsid() (string, error) { return l.conn.GetFSID() }

func (l live) release() string {
	major, minor, patch := rados.Version()
	return fmt.Sprintf("%d.%d.%d", major, minor, patch)
}

func (l live) monitor(command string) ([]byte, error) {
	b, info, err := l.conn.MonCommand([]byte(command))
	return b, answered(info, err)
}

func (l live) manager(command string) ([]byte, error) {
	b, info, err := l.conn.MgrCommand([][]byte{[]byte(command)})
	return b, answered(info, err)
}

// answered adds the daemon's message to an error.
func answered(info string, err error) error {
	if info = strings.TrimSpace(info); err != nil && info != "" {
		return fmt.Errorf("%s: %w", info, err)
	}
	return err
}

// watchers opens the image read-only, which does not register a watch.
func (l live) watchers(i ceph.Image) ([]ceph.Watcher, error) {
	ioctx, err := l.conn.OpenIOContext(i.Pool)
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	defer ioctx.Destroy()
	ioctx.SetNamespace(i.Namespace)
	image, err := rbd.OpenImageReadOnly(ioctx, i.Name, rbd.NoSnapshot)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer image.Close()
	listed, err := image.ListWatchers()
	if err != nil {
		return nil, err
	}
	found := make([]ceph.Watcher, 0, len(listed))
	for _, w := range listed {
		found = append(found, ceph.Watcher{
			Pool: i.Pool, Namespace: i.Namespace, Image: i.Name,
			Addr: ceph.NormalAddr(w.Addr), ClientID: w.Id, Cookie: w.Cookie,
		})
	}
	return found, nil
}
