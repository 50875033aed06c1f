package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/krbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// probeMemory is the soft limit of the probe's memory, in bytes.
const probeMemory = 32 << 20

// probeCommand runs the child for reads that may never return. It reports that
// it runs, then reads questions from its input, one line of JSON each, until the input
// ends.
func (p program) probeCommand(app *kingpin.Application) (string, func(context.Context) int) {
	app.Command("probe", "Answer nodewatch's questions over a pipe. Not for people.").Hidden()
	return "probe", func(context.Context) int {
		debug.SetMemoryLimit(probeMemory)
		at := localPaths()
		_, _ = p.out.Write([]byte("{}\n"))
		for in := bufio.NewScanner(p.in); p.out.err == nil && in.Scan(); {
			raw, err := json.Marshal(answer(at, in.Bytes()))
			if err != nil {
				raw = []byte(`{"error":"the answer cannot be encoded as JSON"}`)
			}
			_, _ = p.out.Write(append(raw, '\n'))
		}
		return exitOK // the exit code is the same if the reader of the answers is gone, which Main reports
	}
}

// answer returns the response to one question.
func answer(at hostPaths, line []byte) watch.Response {
	var q watch.Question
	if err := json.Unmarshal(line, &q); err != nil {
		return watch.Response{Error: err.Error()}
	}
	var value any
	var err error
	switch q.Do {
	case "osdc":
		value, err = krbd.ReadPending(hostfs.FS(at.sys))
	case "options":
		value, err = krbd.ReadOptions(hostfs.FS(at.sys))
	case "qemu":
		value, err = ofProcess(q, func(p qemu.Process) (any, error) { return qemu.ReadGuest(hostfs.FS("/"), hostfs.FS(at.proc), p) })
	case "exports":
		value, err = ofProcess(q, func(p qemu.Process) (any, error) { return qemu.ReadExports(hostfs.FS(at.proc), p) })
	case "opened":
		var of []qemu.Process
		if err = json.Unmarshal(q.Arg, &of); err == nil {
			value = qemu.ReadOpened(hostfs.FS(at.proc), of)
		}
	case "systems":
		var vmids []string
		if err = json.Unmarshal(q.Arg, &vmids); err == nil {
			value = qemu.ReadSystems(hostfs.FS("/"), vmids)
		}
	default:
		err = fmt.Errorf("%q: %w", q.Do, errors.ErrUnsupported)
	}
	if err != nil {
		return watch.Response{Error: err.Error(), Kind: kindOf(err)}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return watch.Response{Error: err.Error()}
	}
	return watch.Response{Value: raw}
}

// ofProcess answers a question about one process.
func ofProcess(q watch.Question, read func(qemu.Process) (any, error)) (any, error) {
	var of qemu.Process
	if err := json.Unmarshal(q.Arg, &of); err != nil {
		return nil, err
	}
	return read(of)
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "denied"
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	}
	return ""
}

// newProbe returns the probe: this same binary, started by the launcher.
func newProbe(l *launcher.Client) *watch.Probe {
	program := launcher.Program{Client: l, Kind: launcher.Probe, Name: "probe"}
	return watch.NewProbe(func(ctx context.Context) (watch.ProbeProcess, error) { return program.Start(ctx, nil, nil) })
}
