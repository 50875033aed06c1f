package exec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/exec"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

var update = flag.Bool("update", false, "write the golden files")

// node returns a node with one finding.
func node() report.Report {
	at := time.Date(2026, 3, 1, 2, 14, 0, 0, time.UTC)
	return report.Report{
		Node: "node2", Site: "rl1", Boot: "b1", Started: at.Add(-time.Hour), At: at, Status: report.MajorOutage, Version: "1.2.3",
		Components:  []report.Component{{Name: "storage", Status: report.MajorOutage, State: report.Seen}},
		Transitions: []report.Transition{}, Sources: []report.SourceState{},
		Findings: []report.Finding{{
			Rule: "krbd-retry-storm", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
			Since: at.Add(-31 * time.Second), LevelSince: at, LastSeen: at, Summary: "krbd is in a retry storm",
			Evidence: []report.Evidence{}, Against: []report.Evidence{}, Advice: []report.Advice{},
		}},
	}
}

// script writes a program, and returns the configuration that runs it with the
// arguments, of which the first is the program's directory.
func script(t *testing.T, text string, args ...string) exec.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Default()
	c.Program, c.Args = path, append([]string{filepath.Dir(path)}, args...)
	return c
}

func newReporter(t *testing.T, c exec.Config, dir string) *exec.Reporter {
	t.Helper()
	return newReporterWith(t, c, dir, runner(t))
}

// newReporterWith is for tests with many reporters, which share a launcher.
func newReporterWith(t *testing.T, c exec.Config, dir string, run exec.Runner) *exec.Reporter {
	t.Helper()
	x, err := exec.New(c, reporttest.StateFile(t, dir, "own"), run)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// runner starts programs as nodewatch does.
func runner(t *testing.T) exec.Runner {
	t.Helper()
	l, err := launcher.Local()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return launcher.Program{Client: l, Kind: launcher.Exec, Name: "program", Output: exec.MaxOutput}
}

// The launcher starts this binary as its helper.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == launcher.HelperCommand {
		os.Exit(launcher.Become(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func read(t *testing.T, c exec.Config, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.Args[0], name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The program gets the changes, its arguments unchanged, and no variables of
// nodewatch's environment.
func TestWhatTheProgramGets(t *testing.T) {
	t.Setenv("NODEWATCH_SECRET", "s3cr3t-word")
	c := script(t, `cat >$1/in; env | sort >$1/env; pwd >$1/pwd; shift; printf '%s\n' "$@" >/$OUT/args`, "two words", "$(id)", "")
	c.Environment = map[string]string{"OUT": c.Args[0]}
	if err := newReporter(t, c, "").Report(t.Context(), node()); err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(read(t, c, "in")), "", "  "); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, *update, "event.json", indented.String())
	if got := read(t, c, "args"); got != "two words\n$(id)\n\n" {
		t.Errorf("arguments %q", got)
	}
	want := []string{"HOME=/", "LANG=C.UTF-8", "NODEWATCH_INPUT=event", "OUT=" + c.Args[0],
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	var got []string
	for line := range strings.Lines(read(t, c, "env")) {
		// set by the shell itself
		if name, _, _ := strings.Cut(line, "="); name != "PWD" && name != "_" && name != "SHLVL" && name != "OLDPWD" {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || read(t, c, "pwd") != "/\n" {
		t.Errorf("environment (-want +got):\n%s\nin %s", diff, read(t, c, "pwd"))
	}
}

func TestExitCodes(t *testing.T) {
	run := runner(t)
	for text, want := range map[string]struct {
		kind report.FailureKind
		says string
	}{
		"cat >/dev/null":                         {"", ""},
		"exit 0":                                 {"", ""},
		"echo later >&2; exit 75":                {report.Transient, "the program asks for a retry: later"},
		"echo no such room; exit 1":              {report.Misconfigured, "the program exited with code 1: no such room"},
		"echo; echo why >&2; echo x; exit 255":   {report.Misconfigured, "the program exited with code 255: why"},
		"exit 3":                                 {report.Misconfigured, "the program exited with code 3: it printed nothing"},
		"kill -9 $$":                             {report.Transient, "signal: killed"},
		`printf '\033[31mred\001\n' >&2; exit 1`: {report.Misconfigured, "code 1: [31mred"},
	} {
		err := newReporterWith(t, script(t, text), "", run).Report(t.Context(), node())
		f := report.FailureOf(err)
		if want.kind == "" && err != nil || want.kind != "" && (f == nil || f.Kind != want.kind ||
			!strings.HasSuffix(f.Error(), want.says) && !strings.Contains(f.Error(), want.says+":")) {
			t.Errorf("%s: %v, want %+v", text, err, want)
		}
	}
}

func TestAProgramThatCannotBeRun(t *testing.T) {
	run := runner(t)
	for name, change := range map[string]func(c *exec.Config) error{
		"is not there":              func(c *exec.Config) error { return os.Remove(c.Program) },
		"cannot be executed":        func(c *exec.Config) error { return os.Chmod(c.Program, 0o600) },
		"can be changed by anybody": func(c *exec.Config) error { return os.Chmod(c.Program, 0o777) },
		"is a directory":            func(c *exec.Config) error { c.Program = filepath.Dir(c.Program); return nil },
		"has no interpreter":        func(c *exec.Config) error { return os.WriteFile(c.Program, []byte("#!/nonexistent\n"), 0o700) },
		"is no program":             func(c *exec.Config) error { return os.WriteFile(c.Program, []byte("\x7fELF garbage"), 0o700) },
	} {
		c := script(t, "touch $1/ran")
		if err := change(&c); err != nil {
			t.Fatal(err)
		}
		f := report.FailureOf(newReporterWith(t, c, "", run).Report(t.Context(), node()))
		if f == nil || f.Kind != report.Misconfigured {
			t.Errorf("%s: %v", name, f)
		}
		if _, err := os.Stat(filepath.Join(c.Args[0], "ran")); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}

// At the deadline the program and its child processes are killed.
func TestTheDeadlineKillsTheGroup(t *testing.T) {
	c := script(t, `exec 3>$1/fifo; sleep 1000 & echo started >&3; wait`)
	path := filepath.Join(c.Args[0], "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rest := make(chan []byte, 1)
	go func() {
		f, err := os.Open(path)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		line := make([]byte, len("started\n"))
		_, _ = io.ReadFull(f, line)
		cancel()
		more, _ := io.ReadAll(f)
		rest <- append(line, more...)
	}()
	f := report.FailureOf(newReporter(t, c, "").Report(ctx, node()))
	if f == nil || f.Kind != report.Transient || !strings.Contains(f.Error(), "deadline") {
		t.Errorf("%v", f)
	}
	if got := string(<-rest); got != "started\n" { // and the end of the fifo: no process has it open any more
		t.Errorf("%q", got)
	}
}

// Processes that the program leaves behind do not delay the reporter, and are killed.
func TestWhatIsLeftBehindIsEnded(t *testing.T) {
	c := script(t, `exec 3>$1/fifo; sleep 1000 & echo taken`)
	path := filepath.Join(c.Args[0], "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	rest := make(chan []byte, 1)
	go func() {
		raw, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		rest <- raw
	}()
	answer, err := newReporter(t, c, "").Test(t.Context(), node())
	if err != nil || answer != "taken" {
		t.Errorf("%q, %v", answer, err)
	}
	<-rest
}

// Endless output does not fill the memory, and unread input does not block the
// reporter.
func TestOutputAndInputAreBounded(t *testing.T) {
	r := node()
	for range 5000 {
		r.Sources = append(r.Sources, report.SourceState{Name: "source", Error: strings.Repeat("x", 100)})
	}
	c := script(t, `head -c 2000000 /dev/zero | tr '\0' x; echo`)
	c.Mode = "state"
	answer, err := newReporter(t, c, "").Test(t.Context(), r)
	if err != nil || answer != strings.Repeat("x", 200)+"..." {
		t.Errorf("%d characters, %v", len(answer), err)
	}
}

func TestNeverTwoAtOnce(t *testing.T) {
	c := script(t, `cat $1/fifo >/dev/null`)
	path := filepath.Join(c.Args[0], "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	x := newReporter(t, c, "")
	done := make(chan error, 1)
	go func() { done <- x.Report(t.Context(), node()) }()
	hold, err := os.OpenFile(path, os.O_WRONLY, 0) // opens once the program reads
	if err != nil {
		t.Fatal(err)
	}
	if f := report.FailureOf(x.Report(t.Context(), node())); f == nil || f.Kind != report.Throttled {
		t.Errorf("a second run: %v", f)
	}
	_ = hold.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Only the first 4 KiB of the output are examined.
func TestALateAnswerIsIgnored(t *testing.T) {
	answer, err := newReporter(t, script(t, `head -c 8192 /dev/zero | tr '\0' '\n'; echo late`), "").Test(t.Context(), node())
	if err != nil || answer != "the program succeeded without output" {
		t.Errorf("%q, %v", answer, err)
	}
}

// Delivered changes are not repeated, not even by the next run; failed ones are.
func TestChangesAreReportedOnce(t *testing.T) {
	dir := t.TempDir()
	c := script(t, `echo run >>$1/runs; test -e $1/ok`)
	run := runner(t)
	x := newReporterWith(t, c, dir, run)
	r := node()
	if err := x.Report(t.Context(), r); err == nil {
		t.Error("a failure passes")
	}
	if err := os.WriteFile(filepath.Join(c.Args[0], "ok"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := x.Report(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	if err := x.Persist(r); err != nil {
		t.Fatal(err)
	}
	if err := newReporterWith(t, c, dir, run).Report(t.Context(), r); err != nil {
		t.Error(err)
	}
	if got := read(t, c, "runs"); got != "run\nrun\n" {
		t.Errorf("runs: %q", got)
	}
}

func TestModeStateRunsEachTime(t *testing.T) {
	c := script(t, `cat >>$1/in`)
	c.Mode = "state"
	x := newReporter(t, c, "")
	for range 2 {
		if err := x.Report(t.Context(), node()); err != nil {
			t.Fatal(err)
		}
	}
	dec := json.NewDecoder(strings.NewReader(read(t, c, "in")))
	for range 2 {
		var got report.Report
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(node(), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestTestIsMarked(t *testing.T) {
	c := script(t, `grep -q '"test":true' && echo "seen as a test"; exit $2`, "0")
	answer, err := newReporter(t, c, "").Test(t.Context(), node())
	if err != nil || answer != "seen as a test" {
		t.Errorf("%q, %v", answer, err)
	}
	if answer, err := newReporter(t, script(t, ""), "").Test(t.Context(), node()); err != nil ||
		answer != "the program succeeded without output" {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestCheck(t *testing.T) {
	for field, changes := range map[string][]func(*exec.Config){
		"program": {func(c *exec.Config) { c.Program = "" }, func(c *exec.Config) { c.Program = "notify" },
			func(c *exec.Config) { c.Program = "/a\x00b" }},
		"mode": {func(c *exec.Config) { c.Mode = "" }},
		"tell": {func(c *exec.Config) { c.Tell = nil }, func(c *exec.Config) { c.Tell = []string{"fixed"} }},
		"args": {func(c *exec.Config) { c.Args = []string{"a\x00"} }},
		"environment": {
			func(c *exec.Config) { c.Environment = map[string]string{"A=B": "x"} },
			func(c *exec.Config) { c.Environment = map[string]string{"A": "\x00"} },
			func(c *exec.Config) { c.Environment = map[string]string{"NODEWATCH_INPUT": "x"} },
		},
	} {
		for i, change := range changes {
			c := exec.Default()
			c.Program = "/bin/true"
			if err := c.Check(); err != nil {
				t.Fatal(err)
			}
			change(&c)
			kept, _ := statefile.In("", "own")
			_, err := exec.New(c, kept, nil)
			if f, ok := errors.AsType[*report.FieldError](err); !ok || f.Field != field {
				t.Errorf("%s, %d: %v", field, i, err)
			}
		}
	}
}
