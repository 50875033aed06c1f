package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// patience is how long a test waits for an expected event.
const patience = time.Minute

func called(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// configured writes a configuration file that listens on free ports, with additional
// settings.
func configured(t testing.TB, more string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "nodewatch-status.yml")
	text := fmt.Sprintf("public: {listen: [\"127.0.0.1:0\"]}\noperators: {listen: [\"127.0.0.1:0\"]}\nintake: {listen: [\"127.0.0.1:0\"]}\ndatabase: {address: %q}\n%s",
		"sqlite:"+filepath.Join(dir, "state", "status.db"), more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A started is a running hub with its addresses.
type started struct {
	public, operators, intake string
	stop                      func() int
}

// start runs a hub until the test ends or stop is called. stop returns the exit code.
func start(t *testing.T, file string) started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, []string{"run", "--config.file", file}, strings.NewReader(""), w, &errs)
		_ = w.Close() // never fails
	}()
	s := started{}
	ended := false
	s.stop = func() int {
		cancel()
		if ended {
			return -1
		}
		ended = true
		select {
		case c := <-code:
			return c
		case <-time.After(patience):
			t.Error("the hub does not stop")
			return -1
		}
	}
	t.Cleanup(func() { s.stop() })
	lines := bufio.NewScanner(r)
	for s.intake == "" && lines.Scan() {
		what, url, _ := strings.Cut(lines.Text(), ": ")
		switch what {
		case "public page":
			s.public = url
		case "operators' page":
			s.operators = url
		case "reports":
			s.intake = url
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // until the hub ends
	if s.intake == "" {
		t.Fatalf("the hub has ended: %d %s", <-code, errs.String())
	}
	return s
}

func get(t testing.TB, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }() // the body has been read completely
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, a.Status, err)
	}
	return string(body)
}

// eventually gets the page until it matches.
func eventually(t *testing.T, url, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); ; {
		body := get(t, url)
		if re.MatchString(body) {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never matches %s:\n%s", url, pattern, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// tokenFor creates a token and writes it to a file.
func tokenFor(t *testing.T, file, node string) httpclient.SecretFile {
	t.Helper()
	code, out, errs := called(t, "token", "create", node, "--config.file", file)
	if code != exitOK || !strings.HasPrefix(out, "nws_") || len(strings.TrimSpace(out)) != 47 {
		t.Fatalf("exit %d: %q %s", code, out, errs)
	}
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return httpclient.SecretFile(path)
}

// reporterTo returns the daemon's reporter.
func reporterTo(t *testing.T, url string, token httpclient.SecretFile) *native.Reporter {
	t.Helper()
	client, err := httpclient.New(httpclient.Options{Agent: "nodewatch/1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	c := native.Default()
	c.URL, c.Token = url, token
	x, err := native.New(c, client, statefile.File{})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// reported returns the report of a node at a time.
func reported(node string, at time.Time, storage report.Impact) report.Report {
	r := report.Report{Node: node, Site: "rl1", Boot: "0b9d2b5e-8f0c-4f7e-9a51-6d1e5f8b7c2a", Version: "1.2.3", Started: at.Add(-time.Hour),
		At: at, Status: storage}
	for _, name := range []report.ComponentName{"host", "network", "nodewatch", "storage"} {
		r.Components = append(r.Components, report.Component{Name: name, Status: report.Operational, State: report.Seen, Since: r.Started})
	}
	r.Components[3].Status, r.Components[3].Since = storage, at
	if storage != report.Operational {
		r.Findings = []report.Finding{{Rule: "libceph-crc-storm", Component: "storage", Severity: report.Critical, Impact: storage,
			State: report.Seen, Since: at, LevelSince: at, LastSeen: at, Summary: "All 78 krbd disks are stalled"}}
	}
	return r
}

const onePage = `
page: {title: Example hosting, time_zone: Europe/Stockholm}
groups:
  - id: vps-rl1
    name: VPS - RL1
    description: Stockholm
    components:
      - {id: node-2, name: Node 2, description: Hypervisor, node: rl1/node2}
      - {id: node-3, name: Node 3, description: Hypervisor, node: rl1/node3}
`

// A node's report reaches the public page and the fleet, and survives a restart.
func TestAReportReachesThePages(t *testing.T) {
	file := configured(t, onePage)
	token := tokenFor(t, file, "rl1/node2")
	h := start(t, file)
	eventually(t, h.public, "Some systems are not reporting")

	now := time.Now()
	x := reporterTo(t, h.intake, token)
	if err := x.Report(t.Context(), reported("node2", now, report.Operational)); err != nil {
		t.Fatal(err)
	}
	eventually(t, h.public, `Node 2</a> <span class="state operational">.*Operational`)
	if err := x.Report(t.Context(), reported("node2", now.Add(time.Second), report.MajorOutage)); err != nil {
		t.Fatal(err)
	}
	public := eventually(t, h.public, `Node 2</a> <span class="state major_outage">.*Major outage`)
	if strings.Contains(public, "krbd") || strings.Contains(public, "rl1/node2") {
		t.Errorf("the public page names what is inside:\n%s", public)
	}
	eventually(t, h.operators, `rl1/node2.*major_outage.*All 78 krbd disks are stalled`)

	if code := h.stop(); code != exitOK {
		t.Errorf("exit %d", code)
	}
	eventually(t, start(t, file).public, `Node 2</a> <span class="state major_outage">.*Major outage`)
}

// A token is valid only for its node, until it is revoked; at most two tokens of a
// node are valid.
func TestTokens(t *testing.T) {
	file := configured(t, onePage)
	token := tokenFor(t, file, "rl1/node2")
	h := start(t, file)
	send := func(node string) string {
		if err := reporterTo(t, h.intake, token).Report(t.Context(), reported(node, time.Now(), report.Operational)); err != nil {
			return err.Error()
		}
		return ""
	}
	if got := send("node2"); got != "" {
		t.Error(got)
	}
	if got := send("node3"); !strings.Contains(got, "403") {
		t.Errorf("another node's token: %s", got)
	}
	tokenFor(t, file, "rl1/node2")
	if code, _, errs := called(t, "token", "create", "rl1/node2", "--config.file", file); code != exitFailure ||
		!strings.Contains(errs, "2 tokens of rl1/node2 are valid") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := called(t, "token", "revoke", "1", "--config.file", file); code != exitOK {
		t.Errorf("exit %d: %s", code, errs)
	}
	if got := send("node2"); !strings.Contains(got, "401") {
		t.Errorf("a revoked token: %s", got)
	}
	secret, err := token.Read()
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := called(t, "token", "list", "--config.file", file)
	if code != exitOK || !strings.Contains(out, "revoked") || !strings.Contains(out, "valid") || strings.Contains(out, secret) ||
		strings.Count(out, "never") != 1 { // only the second one was not used
		t.Errorf("exit %d:\n%s", code, out)
	}
}

func TestUsage(t *testing.T) {
	broken := configured(t, "page: {titel: x, time_zone: Mars/Olympus}\n")
	for _, c := range []struct {
		args []string
		code int
		want string // expected in the output or the error
	}{
		{[]string{"--help"}, exitOK, "token create"},
		{[]string{"version"}, exitOK, "nodewatch-status, version "},
		{[]string{"dance"}, exitUsage, "try nodewatch-status --help"},
		{[]string{"check-config", "--config.file", "/no/such/file"}, exitUsage, "no such file"},
		{[]string{"check-config", "--config.file", configured(t, onePage)}, exitOK, "ok, 2 components in 1 groups"},
		{[]string{"check-config", "--config.file", broken}, exitUsage,
			"nodewatch-status.yml:5: page.titel: unknown field; valid are title"},
		{[]string{"run", "--config.file", broken}, exitUsage, "page.time_zone"},
	} {
		code, out, errs := called(t, c.args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%q: exit %d, %q, want %d with %q", c.args, code, out+errs, c.code, c.want)
		}
	}
}
