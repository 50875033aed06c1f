package prometheus_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

// soon is the time limit for an expected event, on a busy machine.
const soon = 2 * time.Minute

// A nodewatch is a running daemon with its output.
type nodewatch struct {
	address string      // host and port
	lines   chan string // lines of its output
}

var shownAt = regexp.MustCompile(`the page .*is http://([^/]+)/`)

// startNodewatch builds nodewatch and runs it until the end of the test. It returns
// once nodewatch has printed the address of its page.
func startNodewatch(t *testing.T, args ...string) *nodewatch {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "nodewatch")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "./cmd/nodewatch")
	build.Dir = prometheus.Root()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), "NODEWATCH_CONFIG=")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	n := &nodewatch{lines: make(chan string, 1000)}
	go func() {
		defer close(n.lines)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			select {
			case n.lines <- lines.Text():
			default:
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Wait() // the end of the test's context has stopped it
		_ = r.Close()
	})
	n.address = shownAt.FindStringSubmatch(n.until(t, shownAt))[1]
	return n
}

// until returns the next line that matches.
func (n *nodewatch) until(t *testing.T, re *regexp.Regexp) string {
	t.Helper()
	late := time.After(soon)
	for {
		select {
		case line, more := <-n.lines:
			if re.MatchString(line) {
				return line
			}
			if !more {
				t.Fatalf("nodewatch has ended, and never printed %s", re)
			}
		case <-late:
			t.Fatalf("nodewatch does not print %s", re)
		}
	}
}

// scraping returns a Prometheus configuration that scrapes the targets each second,
// with the shipped rules, in the directory dir; the rules keep ended alerts for keep.
func scraping(t *testing.T, dir, keep string, alertmanager string, targets ...string) string {
	t.Helper()
	var names []string
	for _, path := range ruleFiles(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if keep != "" {
			text = regexp.MustCompile(`keep_firing_for: \w+`).ReplaceAllString(text, "keep_firing_for: "+keep)
		}
		names = append(names, prometheus.Write(t, dir, filepath.Base(path), text))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: ['%s']\n", strings.Join(names, "', '"))
	fmt.Fprintf(&b, "scrape_configs:\n- job_name: nodewatch\n  static_configs:\n")
	for i, address := range targets {
		fmt.Fprintf(&b, "  - {targets: ['%s'], labels: {instance: node%d, site: rl1, rack: '7', switch: sw1}}\n", address, i+1)
	}
	if alertmanager != "" {
		fmt.Fprintf(&b, "alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}\n", strings.TrimPrefix(alertmanager, "http://"))
	}
	return b.String()
}
