package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodewatch/nodewatch/internal/page"
)

// full is a device that accepts no data, such as /dev/full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A command whose output is lost fails and reports this: a monitoring system would
// treat a plugin that exits with 0 and prints nothing as OK.
func TestACommandWhoseOutputIsLostFails(t *testing.T) {
	body, err := page.JSON(viewNamed("node9").Report)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, jsonText, body) }))
	t.Cleanup(srv.Close)
	file, _ := configured(t, fmt.Sprintf("reporters:\n  - {name: alive, heartbeat: {preset: plain, url: %q}}\n", srv.URL))
	incident := filepath.Join(incidents, "rl1-node2.txtar")
	calls := [][]string{
		{"--help"}, {"--version"}, {"check", "--help"},
		{"check", "--url", srv.URL}, {"check", "--url", srv.URL, "-o", "json"}, {"check", "--url", srv.URL, "-o", "nagios"},
		{"check", "--url", "http://127.0.0.1:1", "-o", "json"},
		{"replay", incident}, {"replay", incident, "-o", "json"},
		{"rules"}, {"rules", "kmsg-lost"}, {"sources"}, {"check-config", file}, {"completion", "bash"}, {"version"},
		{"maintenance", "start", "--for", "2h", "--reason", "x", "--config.file", file},
		{"maintenance", "stop", "--config.file", file}, {"silences", "--config.file", file},
		{"ack", "nic-saturated", "--until", "1h", "--reason", "x", "--config.file", file},
		{"report", "test", "--config.file", file}, {"probe"},
	}
	for _, args := range calls {
		var errs bytes.Buffer
		code := Main(t.Context(), args, strings.NewReader(""), full{}, &errs)
		if code == exitOK || !strings.HasSuffix(errs.String(), "nodewatch: standard output: no space left on device\n") {
			t.Errorf("%v: exit %d, %q", args, code, errs.String())
		}
	}
	// Each command is tried, except the daemon, which prints only one line and does not
	// depend on it.
	for _, cmd := range model(t).FlattenedCommands() {
		tried := cmd.FullCommand == "run"
		for _, args := range calls {
			tried = tried || strings.HasPrefix(strings.Join(args, " ")+" ", cmd.FullCommand+" ")
		}
		if !tried && !cmd.Hidden && cmd.Name != "help" {
			t.Errorf("%s is not tried", cmd.FullCommand)
		}
	}
}
