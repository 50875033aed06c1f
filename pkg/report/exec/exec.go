// Package exec runs an operator's program with the report as JSON on its standard
// input, for backends without a reporter.
package exec

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// A Runner runs programs, one at a time. Run runs argv with input on its standard
// input and a short environment, without nodewatch's variables, to which env is
// added. It returns the beginning of both outputs once the program has ended, or soon
// after ctx ends, when the program is killed.
//
// For an exit code other than 0, the error has a method ExitCode() int, which returns
// -1 if a signal ended the program. While a killed program has not ended, Run returns
// syscall.EBUSY. Any other error that wraps a syscall.Errno is the reason why the
// program could not be started.
type Runner interface {
	Run(ctx context.Context, argv, env []string, input []byte) (stdout, stderr []byte, err error)
}

// A Reporter runs one program, never concurrently. It implements report.Reporter and
// report.Persister.
//
// Report returns once the program has ended, or has been killed at the deadline. If
// the program cannot be killed because it sleeps uninterruptibly in the kernel, no
// other is started until it has ended.
type Reporter struct {
	c       Config
	runner  Runner
	memory  *changes.Memory
	running sync.Mutex
}

// New returns a Reporter. The file stores what has been reported; if it cannot be
// read, the first Persist returns the error and all raised findings are reported
// again.
func New(c Config, kept statefile.File, runner Runner) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return &Reporter{c: c, runner: runner, memory: changes.Remember(kept)}, nil
}

// Persist implements report.Persister.
func (x *Reporter) Persist(report.Report) error { return x.memory.Persist() }

// Report implements report.Reporter: it runs the program with the changes since its
// last success, a changes.Event, or, in mode state, with the Report.
func (x *Reporter) Report(ctx context.Context, r report.Report) error {
	if x.c.Mode == "state" {
		_, err := x.run(ctx, "report", r)
		return err
	}
	list, next := x.memory.Baseline().Diff(r)
	list = slices.DeleteFunc(list, func(c changes.Change) bool { return !slices.Contains(x.c.Tell, string(c.Kind)) })
	if len(list) == 0 {
		x.memory.Set(next)
		return nil
	}
	if _, err := x.run(ctx, "event", next.Event(r, list)); err != nil {
		return err
	}
	next.At, next.Sent = r.At, next.Sent+1
	x.memory.Set(next)
	return nil
}

// Test implements report.Reporter: it runs the program with "test": true, and returns
// the first line of its output.
func (x *Reporter) Test(ctx context.Context, r report.Report) (string, error) {
	r.Test = true
	if x.c.Mode == "state" {
		return x.run(ctx, "report", r)
	}
	return x.run(ctx, "event", changes.Baseline{Sent: uint64(max(r.At.UnixNano(), 0))}.Event(r, nil))
}

// run runs the program once with a value of the kind "event" or "report" on its
// standard input.
func (x *Reporter) run(ctx context.Context, kind string, value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	if !x.running.TryLock() {
		return "", failure(report.Throttled, "the previous run of the program has not ended")
	}
	defer x.running.Unlock()
	if err := trusted(x.c.Program); err != nil {
		return "", failure(report.Misconfigured, "%w", err)
	}
	argv := append([]string{x.c.Program}, x.c.Args...)
	out, errs, err := x.runner.Run(ctx, argv, x.c.environ(kind), append(raw, '\n'))
	if err != nil {
		return "", ended(ctx, err, firstLine(errs, firstLine(out, "it printed nothing")))
	}
	return firstLine(out, "the program succeeded without output"), nil
}
