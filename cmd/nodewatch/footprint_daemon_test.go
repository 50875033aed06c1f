package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A child is the daemon as a child process.
type child struct {
	process
	url    string
	client *http.Client
}

var pageURL = regexp.MustCompile(`http://[0-9.:]+`)

// buildDaemon builds the release binary of nodewatch, unless the flag names one.
func buildDaemon(b testing.TB) (binary string) {
	b.Helper()
	if *footprintBinary != "" {
		return *footprintBinary
	}
	binary = filepath.Join(b.TempDir(), "nodewatch")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return binary
}

// startDaemon starts nodewatch in the namespace and waits for its first verdict.
func startDaemon(b testing.TB, binary string, n *namespace, env ...string) *child {
	b.Helper()
	cmd := exec.Command(binary, "run", "--web.listen-address", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), env...)
	var said lockedBuffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := n.do(cmd.Start); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			b.Errorf("the daemon ended with: %v\n%s", err, said.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	d := &child{process: process(cmd.Process.Pid), url: pageURL.FindString(line)}
	d.client = &http.Client{Transport: &http.Transport{DialContext: func(_ context.Context, network, address string) (c net.Conn,
		err error) {
		err = n.do(func() error {
			c, err = net.Dial(network, address)
			return err
		})
		return c, err
	}}}
	d.ready(b)
	return d
}

// ready waits for the first verdict.
func (d *child) ready(b testing.TB) {
	b.Helper()
	for range time.Tick(50 * time.Millisecond) {
		resp, err := d.client.Get(d.url + "/-/ready")
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
}

// A process is a process id.
type process int

// descendants returns all processes below this one, with the words of their command
// lines; processes that end during the scan may be missing.
func (p process) descendants() map[process][]string {
	all := map[process][]string{}
	for _, child := range p.children() {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child))
		all[child] = strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
		maps.Copy(all, child.descendants())
	}
	return all
}

// children returns the processes that this one has started.
func (p process) children() (all []process) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p))
	for _, thread := range threads {
		list, _ := os.ReadFile(thread)
		for _, child := range strings.Fields(string(list)) {
			pid, _ := strconv.Atoi(child)
			all = append(all, process(pid))
		}
	}
	return all
}

// called returns the descendant whose command line, without its first word, equals
// words.
func (p process) called(words ...string) (process, bool) {
	for pid, line := range p.descendants() {
		if len(line) > 0 && slices.Equal(line[1:], words) {
			return pid, true
		}
	}
	return 0, false
}

// probe returns the daemon's probe.
func (p process) probe(b testing.TB) process {
	b.Helper()
	probe, found := p.called("probe")
	if !found {
		b.Fatal("the daemon has no probe")
	}
	return probe
}

// statFields returns the fields after the name in /proc/PID/stat, from the third one
// on.
func statFields(raw []byte) []string {
	text := string(raw)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
}

// userHZ is the unit of times in /proc/PID/stat, which is the same on all platforms
// of Go.
const userHZ = 100

// spent returns the CPU time of the process: utime and stime.
func (p process) spent(b testing.TB) time.Duration {
	b.Helper()
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(int(p)) + "/stat")
	fields := statFields(raw)
	if err != nil || len(fields) < 13 {
		b.Fatalf("no times of process %d: %v", p, err)
	}
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHZ
}

// memory returns a size in MiB from a file of the process in /proc. In status, VmRSS
// is the resident size and VmHWM its maximum; in smaps_rollup, Pss is the resident
// size with shared pages divided among their users.
func (p process) memory(b testing.TB, file, name string) float64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(int(p)) + "/" + file)
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB$`).FindSubmatch(raw)
	if m == nil {
		b.Fatalf("no %s in %s", name, file)
	}
	kib, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
