package launcher

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The file descriptors that a launcher is started with: the socket for requests and,
// for the first launcher, the socket of the spare that it starts.
const (
	socketFD = 3
	spareFD  = 4
)

// spareArg makes the first launcher start the spare.
const spareArg = "with-spare"

// Serve is the launcher's process. It returns its exit code after the socket has
// closed and it has ended every program that it started.
func Serve(args []string) int {
	runtime.LockOSThread() // all programs are children of this thread, whose capabilities count
	syscall.CloseOnExec(socketFD)
	syscall.CloseOnExec(spareFD)
	conn, err := unixConn(os.NewFile(socketFD, "launcher"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodewatch: launcher is for internal use by nodewatch")
		return 2
	}
	// The launcher ends with its socket, not with signals for the daemon. The signals
	// are caught, because programs would inherit ignored ones.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(8 << 20)
	if err := surrender(); err != nil {
		fmt.Fprintln(os.Stderr, "nodewatch: launcher: capabilities:", err)
		return 1
	}
	// This comes last because, with a capability, more could be locked now than may
	// be locked later. The daemon reports if memory cannot be locked.
	_ = LockMemory()
	if slices.Contains(args, spareArg) {
		if err := startSpare(); err != nil {
			fmt.Fprintln(os.Stderr, "nodewatch: launcher: no spare:", err)
		}
	}
	newServer(conn).serve()
	return 0
}

// surrender drops all capabilities except those that a program may need, and prevents
// programs from inheriting them automatically.
func surrender() error {
	if err := clearAmbient(); err != nil {
		return err
	}
	have, err := permittedSet()
	if err != nil {
		return err
	}
	// Root needs one more, to remove the rest from the programs' bounding sets.
	return keepOnly(have & (setOf(Capabilities()) | 1<<unix.CAP_SETPCAP))
}

// startSpare starts the second launcher, before this one serves requests.
func startSpare() error {
	spare := os.NewFile(spareFD, "spare")
	if spare == nil {
		return os.ErrInvalid
	}
	defer spare.Close()
	p, err := os.StartProcess("/proc/self/exe", []string{os.Args[0], ServeCommand, "spare"}, &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, spare},
		Sys: &syscall.SysProcAttr{Setpgid: true, AmbientCaps: permitted(Capabilities())},
	})
	if err != nil {
		return err
	}
	go p.Wait()
	return nil
}

// unixConn turns a socket into a connection, and closes the file.
func unixConn(f *os.File) (*net.UnixConn, error) {
	if f == nil {
		return nil, os.ErrInvalid
	}
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, is := c.(*net.UnixConn)
	if !is {
		_ = c.Close()
		return nil, os.ErrInvalid
	}
	return u, nil
}

// A server is the launcher: it starts and kills programs on request.
type server struct {
	conn *net.UnixConn

	mu       sync.Mutex
	children map[uint64]*started
}

// A started is a program that was started and has not been reaped.
type started struct {
	process *os.Process
}

func newServer(conn *net.UnixConn) *server {
	return &server{conn: conn, children: map[uint64]*started{}}
}

// serve handles requests until the socket closes, and then kills all programs. It
// must run on a locked thread, which is the parent of the programs.
func (s *server) serve() {
	defer s.end()
	message, rights := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(3*4))
	for {
		n, oobn, flags, _, err := s.conn.ReadMsgUnix(message, rights)
		if err != nil || n == 0 {
			return
		}
		files := received(rights[:oobn])
		var r request
		if flags&unix.MSG_TRUNC != 0 {
			err = io.ErrShortBuffer
		} else {
			err = json.Unmarshal(message[:n], &r)
		}
		if err == nil {
			s.do(r, files)
		}
		for _, f := range files {
			_ = f.Close()
		}
	}
}

// received returns the files that came with a message.
func received(rights []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files
}

func (s *server) do(r request, files []*os.File) {
	switch r.Do {
	case "ping":
		s.say(event{ID: r.ID, What: "pong"})
	case "kill":
		s.mu.Lock()
		defer s.mu.Unlock()
		if c := s.children[r.ID]; c != nil {
			c.kill()
		}
	case "start":
		if f := s.start(r, files); f != nil {
			s.say(event{ID: r.ID, What: "ended", Error: f})
		}
	}
}

// start starts a helper for one program.
func (s *server) start(r request, files []*os.File) *failure {
	limit, known := table()[r.Kind]
	if !known || len(files) != 3 {
		return &failure{"start", unix.EINVAL}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.children) >= maxChildren {
		return &failure{fmt.Sprintf("%d programs are running or could not be killed", len(s.children)), unix.EAGAIN}
	}
	status, child, err := os.Pipe()
	if err != nil {
		return failed("pipe", err)
	}
	defer child.Close()
	p, err := os.StartProcess("/proc/self/exe", append([]string{os.Args[0], HelperCommand, string(r.Kind)}, r.Argv...), &os.ProcAttr{
		Dir: "/", Env: append(limit.environment(), r.Env...), Files: append(files, child),
		Sys: &syscall.SysProcAttr{Setpgid: true, AmbientCaps: permitted(limit.caps)},
	})
	if err != nil {
		_ = status.Close()
		return failed("start of the helper", err)
	}
	c := &started{process: p}
	s.children[r.ID] = c
	s.say(event{ID: r.ID, What: "forked", PID: p.Pid})
	go s.follow(r.ID, c, status)
	return nil
}

// environment returns the row's part of a program's environment.
func (r limits) environment() []string {
	env := slices.Clone(r.env)
	for _, name := range r.pass {
		if value, is := os.LookupEnv(name); is {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// follow follows a program until it has ended.
func (s *server) follow(id uint64, c *started, status *os.File) {
	f := executed(status)
	if f == nil {
		s.say(event{ID: id, What: "executed"})
	}
	state, err := c.process.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	// Leftover processes in its group would accumulate from run to run. As long as
	// there are any, the group's number is not reused.
	c.kill()
	delete(s.children, id)
	e := event{ID: id, What: "ended", PID: c.process.Pid, Error: f}
	if err != nil {
		e.Error = failed("wait", err)
	} else if w, is := state.Sys().(syscall.WaitStatus); is && w.Signaled() {
		e.Code, e.Signal = -1, w.Signal()
	} else {
		e.Code = state.ExitCode()
	}
	s.say(e)
}

// executed waits until a helper has executed its program, or has ended, and returns
// the error if it failed.
func executed(status *os.File) *failure {
	defer status.Close()
	raw, _ := io.ReadAll(io.LimitReader(status, 4<<10)) // ends with the helper in any case
	text, ready := strings.CutPrefix(string(raw), "r")
	if text == "" && ready {
		return nil
	}
	var f failure
	if text == "" || json.Unmarshal([]byte(text), &f) != nil {
		return &failure{"the helper ended before the program was started", unix.ECHILD}
	}
	return &f
}

// kill kills the program's group, and a helper that has no group yet.
func (c *started) kill() {
	_ = syscall.Kill(-c.process.Pid, syscall.SIGKILL)
	_ = c.process.Kill()
}

// say sends a message to the daemon. If the daemon is gone, the next read fails too.
func (s *server) say(e event) {
	if raw, err := json.Marshal(e); err == nil {
		_, _ = s.conn.Write(raw)
	}
}

// end kills all programs.
func (s *server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.children {
		c.kill()
	}
	_ = s.conn.Close()
}
