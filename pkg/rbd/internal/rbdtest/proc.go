package rbdtest

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// A Process is the recorded content of a process's /proc directory.
type Process struct {
	PID       int      `json:"pid"`
	Comm      string   `json:"comm"`
	Cgroup    string   `json:"cgroup"`
	MountInfo string   `json:"mountinfo"`
	Cmd       []string `json:"cmd"`
	FDs       []string `json:"fds"`
	UID       int      `json:"uid"`
	Threads   []string `json:"threads"` // names of its threads, none of which is running
}

// NewProc returns the /proc of recorded processes.
func NewProc(t *testing.T, list ...Process) Proc {
	t.Helper()
	p := Proc{fstest.MapFS{}}
	for _, one := range list {
		p.Process(one.PID, one.Comm, "/")
		dir := strconv.Itoa(one.PID) + "/"
		p.File(dir+"cgroup", one.Cgroup)
		p.File(dir+"mountinfo", one.MountInfo)
		p.File(dir+"cmdline", strings.Join(one.Cmd, "\x00")+"\x00")
		for i, target := range one.FDs {
			p.Link(fmt.Sprintf("%sfd/%d", dir, 10+i), target)
		}
		p.File(dir+"status", fmt.Sprintf("Name:\tx\nUid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", one.UID))
		for i, name := range one.Threads {
			thread := fmt.Sprintf("%stask/%d/", dir, one.PID+i)
			p.File(thread+"comm", name+"\n")
			p.File(thread+"schedstat", "7 0 7\n")
			p.File(thread+"stat", string(p.MapFS[dir+"stat"].Data))
		}
	}
	return p
}

// Proc is a /proc that tests fill.
type Proc struct{ fstest.MapFS }

// File adds a file.
func (p Proc) File(name, text string) { p.MapFS[name] = &fstest.MapFile{Data: []byte(text)} }

// Link adds a symbolic link.
func (p Proc) Link(name, target string) {
	p.MapFS[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

// Process adds a process in the kernel's format.
func (p Proc) Process(pid int, comm, cgroup string) {
	dir := strconv.Itoa(pid)
	p.File(dir+"/comm", comm+"\n")
	p.File(dir+"/cgroup", "0::"+cgroup+"\n")
	p.File(dir+"/stat", fmt.Sprintf("%d (%s) S 1 231 231 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 4 0 %d00 1 2 3 4\n", pid, comm, pid))
}
