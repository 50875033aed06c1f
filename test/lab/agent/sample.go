package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A sampler writes a tar archive. Files that cannot be read are omitted.
type sampler struct {
	w   *tar.Writer
	err error
}

// sample writes everything that nodewatch reads of this kernel, in the format of the
// unit tests' captures.
func sample(w io.Writer) error {
	s := &sampler{w: tar.NewWriter(w)}
	if dump, err := links(); err == nil {
		s.put("rtm-getlink-dump.bin", dump)
	}
	s.run("ip-d-j-link.json", "ip", "-d", "-j", "link")
	s.run("ip-j-addr.json", "ip", "-j", "addr")
	for _, path := range []string{"proc/mounts", "proc/version", "proc/loadavg", "proc/uptime", "proc/net/softnet_stat", "proc/net/tcp",
		"proc/pressure/*", "proc/net/bonding/*"} {
		for _, name := range glob("/" + path) {
			s.file(strings.ReplaceAll(name[1:], "/", "-"), name)
		}
	}
	for _, link := range glob("/sys/class/net/*") {
		if dir, err := filepath.EvalSymlinks(link); err == nil {
			s.put("sys-class-net-"+filepath.Base(link), attributes(dir, ":"))
		}
	}
	for _, name := range glob("/proc/[0-9]*/comm") {
		if comm, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(comm), "qemu") {
			dir := filepath.Dir(name)
			s.file("proc-"+filepath.Base(dir)+"-cmdline", dir+"/cmdline") // a secret in it is encrypted
		}
	}
	s.put("sys-bus-rbd.txt", sections("/sys/bus/rbd/devices/*/*"))
	s.put("sys-kernel-debug-ceph.txt", sections("/sys/kernel/debug/ceph/*/*"))
	s.put("sys-block-rbd.txt", disks())
	var log strings.Builder
	if err := kernelLog(&log); err == nil {
		s.put("kernel.kmsg", []byte(log.String()))
	}
	return errors.Join(s.err, s.w.Close())
}

func glob(pattern string) []string {
	names, _ := filepath.Glob(pattern) // the patterns are valid
	return names
}

func (s *sampler) put(name string, body []byte) {
	if s.err != nil || len(body) == 0 {
		return
	}
	if s.err = s.w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); s.err == nil {
		_, s.err = s.w.Write(body)
	}
}

func (s *sampler) file(name, path string) {
	if b, err := os.ReadFile(path); err == nil {
		s.put(name, b)
	}
}

func (s *sampler) run(name string, argv ...string) {
	if out, err := exec.Command(argv[0], argv[1:]...).Output(); err == nil {
		s.put(name, out)
	}
}

// secret reports whether an attribute must not be read: config_info contains the key of
// the mapping.
func secret(name string) bool { return name == "config_info" }

// readable calls f for each readable regular file below a directory, with its
// relative path and its text.
func readable(dir string, f func(path string, text []byte)) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // unreadable files are omitted
		switch {
		case err != nil, secret(filepath.Base(path)):
			return nil //nolint:nilerr // left out
		case d.IsDir() && strings.Count(path[len(dir):], "/") > 1:
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o444 == 0 {
			return nil //nolint:nilerr // left out
		}
		if b, err := os.ReadFile(path); err == nil {
			f(strings.TrimPrefix(path[len(dir):], "/"), b)
		}
		return nil
	})
}

// attributes returns lines of path and value.
func attributes(dir, separator string) []byte {
	var b strings.Builder
	readable(dir, func(path string, text []byte) {
		fmt.Fprintf(&b, "%s%s%s\n", path, separator, strings.TrimSpace(string(text)))
	})
	return []byte(b.String())
}

// sections returns files, each after a line "== PATH (MODE)".
func sections(pattern string) []byte {
	var b strings.Builder
	for _, name := range glob(pattern) {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() || secret(filepath.Base(name)) {
			continue
		}
		if info.Mode().Perm()&0o444 == 0 {
			fmt.Fprintf(&b, "== %s (%s)\n", name, info.Mode())
			continue
		}
		if text, err := os.ReadFile(name); err == nil {
			fmt.Fprintf(&b, "== %s (%s)\n%s\n", name, info.Mode(), strings.TrimSuffix(string(text), "\n"))
		}
	}
	return []byte(b.String())
}

// disks returns the attributes of each rbd disk, each after a line "== LINK -> PATH".
func disks() []byte {
	var b strings.Builder
	for _, link := range glob("/sys/block/rbd*") {
		path, err := filepath.EvalSymlinks(link)
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "== %s -> %s\n%s", link, path, attributes(path, ": "))
	}
	return []byte(b.String())
}

// links returns the raw response to an RTM_GETLINK dump.
func links() ([]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	const length = unix.NLMSG_HDRLEN + unix.SizeofIfInfomsg
	request := make([]byte, length)
	request[0], request[4] = length, unix.RTM_GETLINK // the guest is an x86 machine: little endian
	flags := unix.NLM_F_REQUEST | unix.NLM_F_DUMP
	request[6], request[7] = byte(flags), byte(flags>>8)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var dump []byte
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			return nil, err
		}
		dump = append(dump, b[:n]...)
		if n < unix.NLMSG_HDRLEN || b[4] == unix.NLMSG_DONE {
			return dump, nil
		}
		for at := 0; at+unix.NLMSG_HDRLEN <= n; { // the end is the last message of a datagram
			size := int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16
			if b[at+4] == unix.NLMSG_DONE && b[at+5] == 0 {
				return dump, nil
			}
			if size < unix.NLMSG_HDRLEN {
				break
			}
			at += (size + 3) &^ 3
		}
	}
}

// kernelLog writes the current records of the kernel's log in the format of
// /dev/kmsg.
func kernelLog(w io.Writer) error {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("/dev/kmsg: %w", err)
	}
	defer unix.Close(fd)
	b := make([]byte, 16<<10)
	for {
		n, err := unix.Read(fd, b)
		switch {
		case err == unix.EPIPE, err == unix.EINTR: // overwritten: the next read returns the oldest record
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("/dev/kmsg: %w", err)
		}
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
	}
}
