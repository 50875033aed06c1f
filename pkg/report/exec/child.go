package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// tempFail is the exit code by which a program asks to be run again soon
// (sysexits(3), EX_TEMPFAIL).
const tempFail = 75

// grace is how long the program's own children may hold its output once it has
// ended, or was killed.
const grace = time.Second

// mostOutput is how much of each output is kept, in bytes; mostLine how much of
// its first line is shown, in characters.
const (
	mostOutput = 4 << 10
	mostLine   = 200
)

// A child is one run of the program.
type child struct {
	Config
	kind  string
	input []byte
}

// run runs it, and returns the first line it prints.
func (c child) run(ctx context.Context) (string, error) {
	if err := trusted(c.Program); err != nil {
		return "", failure(report.Misconfigured, "%w", err)
	}
	cmd := osexec.CommandContext(ctx, c.Program, c.Args...)
	out, errs := &bounded{left: mostOutput}, &bounded{left: mostOutput}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.input), out, errs
	cmd.Dir, cmd.Env = "/", c.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return "", started(err)
	}
	err := cmd.Wait()
	// What it has left behind in its group would add up from run to run. As long as
	// there is any, the group's number is no other's.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err == nil || errors.Is(err, osexec.ErrWaitDelay) {
		return out.line("the program succeeded, and printed nothing"), nil
	}
	return "", ended(ctx, err, errs.line(out.line("it printed nothing")))
}

// environ is the child's whole environment.
func (c child) environ() []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/",
		"NODEWATCH_INPUT=" + c.kind,
	}
	for name, value := range c.Environment {
		env = append(env, name+"="+value)
	}
	slices.Sort(env[4:])
	return env
}

// trusted reports why the program must not be run.
func trusted(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	case info.Mode()&0o002 != 0:
		return fmt.Errorf("%s can be changed by anybody: take that from its mode", path)
	}
	return nil
}

// started is the Failure of a program that could not be started.
func started(err error) error {
	for _, lasting := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC, syscall.E2BIG, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, lasting) {
			return failure(report.Misconfigured, "%w", err)
		}
	}
	return failure(report.Transient, "%w", err)
}

// ended is the Failure of a program that ended otherwise than with 0.
func ended(ctx context.Context, err error, said string) error {
	exit, is := errors.AsType[*osexec.ExitError](err)
	switch {
	case is && exit.ExitCode() == tempFail:
		return failure(report.Transient, "the program asks to be run again: %s", said)
	case is && exit.Exited():
		return failure(report.Misconfigured, "the program ended with code %d: %s", exit.ExitCode(), said)
	case ctx.Err() != nil:
		return failure(report.Transient, "the program had not ended by the deadline, and was killed: %s", said)
	}
	return failure(report.Transient, "the program: %w: %s", err, said)
}

func failure(kind report.FailureKind, format string, args ...any) error {
	return &report.Failure{Kind: kind, Err: fmt.Errorf("exec: "+format, args...)}
}

// A bounded keeps the first bytes that are written to it, and drops the rest. It
// embeds no buffer, whose ReadFrom would go round that.
type bounded struct {
	kept []byte
	left int
}

// Write implements io.Writer; it never fails.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.kept = append(b.kept, p[:n]...)
	return len(p), nil
}

// line is the first line that says something, fit to be shown; otherwise none.
func (b *bounded) line(none string) string {
	for line := range strings.Lines(strings.ToValidUTF8(string(b.kept), "?")) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) || r == '\t' {
				return r
			}
			return -1
		}, line))
		if runes := []rune(line); len(runes) > mostLine {
			line = string(runes[:mostLine]) + "..."
		}
		if line != "" {
			return line
		}
	}
	return none
}
