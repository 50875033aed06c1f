package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// tempFail is the exit code with which a program asks to be run again soon
// (sysexits(3), EX_TEMPFAIL).
const tempFail = 75

// MaxOutput is how much of a program's standard output a Runner should return, in
// bytes: enough for one line.
const MaxOutput = 4 << 10

// maxLine is the maximum displayed length of the first line, in characters.
const maxLine = 200

// environ returns the variables that the program gets in addition to the Runner's.
func (c Config) environ(kind string) []string {
	env := []string{"NODEWATCH_INPUT=" + kind}
	for name, value := range c.Environment {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// trusted returns an error if the program must not be run.
func trusted(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	case info.Mode()&0o002 != 0:
		return fmt.Errorf("%s is writable by all users: run chmod o-w on it", path)
	}
	return nil
}

// permanentErrors are the errors of a start that would occur again.
var permanentErrors = []syscall.Errno{syscall.ENOENT, syscall.EACCES, syscall.EPERM, syscall.ENOEXEC, syscall.E2BIG, syscall.ENOTDIR,
	syscall.ELOOP}

// ended returns the Failure of a program that could not be started, or did not exit
// with code 0.
func ended(ctx context.Context, err error, said string) error {
	errno, unstarted := errors.AsType[syscall.Errno](err)
	exit, exited := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	switch {
	case errors.Is(err, syscall.EBUSY):
		return failure(report.Throttled, "the previous run of the program was killed but has not ended")
	case unstarted && slices.Contains(permanentErrors, errno):
		return failure(report.Misconfigured, "%w", err)
	case exited && exit.ExitCode() == tempFail:
		return failure(report.Transient, "the program asks for a retry: %s", said)
	case exited && exit.ExitCode() >= 0:
		return failure(report.Misconfigured, "the program exited with code %d: %s", exit.ExitCode(), said)
	case exited:
		return failure(report.Transient, "the program: %w: %s", err, said)
	case ctx.Err() != nil:
		return failure(report.Transient, "the program did not exit by the deadline and was killed: %w: %s", err, said)
	}
	return failure(report.Transient, "%w", err)
}

func failure(kind report.FailureKind, format string, args ...any) error {
	return &report.Failure{Kind: kind, Err: fmt.Errorf("exec: "+format, args...)}
}

// firstLine returns the first line that is not empty, made printable; empty if there
// is none.
func firstLine(raw []byte, none string) string {
	for line := range strings.Lines(strings.ToValidUTF8(string(raw), "?")) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) || r == '\t' {
				return r
			}
			return -1
		}, line))
		if runes := []rune(line); len(runes) > maxLine {
			line = string(runes[:maxLine]) + "..."
		}
		if line != "" {
			return line
		}
	}
	return none
}
