package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// pretending serves the report of a daemon, and its overrides from the state directory.
// deaf: it does not apply overrides.
func pretending(t *testing.T, r report.Report, state string, deaf bool) (address string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/report", func(w http.ResponseWriter, _ *http.Request) {
		body, err := page.JSON(r)
		if err != nil {
			t.Error(err)
		}
		write(w, http.StatusOK, jsonText, body)
	})
	mux.HandleFunc("/api/v1/silences", func(w http.ResponseWriter, q *http.Request) {
		var taken override.Overrides
		if !deaf {
			var err error
			if taken, err = override.Read(q.Context(), state); err != nil {
				t.Error(err)
			}
		}
		body, err := page.Silences(taken, time.Now(), "test", &r).JSON()
		if err != nil {
			t.Error(err)
		}
		write(w, http.StatusOK, jsonText, body)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// reported returns a report with two findings of a rule and an incident.
func reported(incident *report.Incident) report.Report {
	now := time.Now()
	return report.Report{Node: "node2", At: now, Incident: incident, Findings: []report.Finding{
		{Rule: "nic-drops", Subject: "eth0", Severity: report.Warning, Summary: "eth0 drops frames", Since: now},
		{Rule: "nic-drops", Subject: "eth1", Severity: report.Critical, Summary: "eth1 drops frames", Since: now},
	}}
}

// TestAckSaysWhatItDidAndRefusesWhatIsNot checks that only a raised finding can be
// acknowledged, unless the acknowledgement is declared to be in advance, and that the
// output names what it silences.
func TestAckSaysWhatItDidAndRefusesWhatIsNot(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", dir)
	over := &report.Incident{Begin: time.Now().Add(-time.Hour), End: time.Now().Add(-time.Minute)}
	for name, tt := range map[string]struct {
		incident *report.Incident
		args     string
		code     int
		want     string
	}{
		"raised": {nil, "nic-drops eth0 --until 1h --reason x", 0,
			"No longer pages: warning eth0 drops frames\nThe daemon has applied it.\n"},
		"too severe": {nil, "nic-drops eth1 --until 1h --reason x", 0,
			"nic-drops eth1 is critical and still pages: use --severity critical to acknowledge that severity.\n"},
		"every subject": {nil, "nic-drops --until 1h --severity critical --reason x", 0,
			"No longer pages: warning eth0 drops frames\nNo longer pages: critical eth1 drops frames\n"},
		"not raised": {nil, "bond-lacp --until 1h --reason x", 0, "It is not raised now.\n"},
		"no such subject": {nil, "nic-drops eth7 --until 1h --reason x", 2,
			"nic-drops is not raised on \"eth7\"; it is raised on eth0, eth1. Use --ahead"},
		"of no subject": {nil, "bond-lacp bond7 --until 1h --reason x", 2, "bond-lacp is not raised on \"bond7\"; it is not raised."},
		"ahead": {nil, "nic-drops eth7 --ahead --until 1h --reason x", 0,
			"Acknowledged nic-drops on eth7 up to severity warning until"},
		"no such rule":        {nil, "nic-drop eth0 --until 1h --reason x", 2, "no active rule \"nic-drop\""},
		"no incident":         {nil, "incident", 2, "there is no incident to acknowledge"},
		"incident that lasts": {&report.Incident{Begin: time.Now()}, "incident", 2, "the incident is still in progress"},
		"incident over":       {over, "incident", 0, "Acknowledged incident-over (every subject)"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			file := filepath.Join(t.TempDir(), "nodewatch.yml")
			put(t, file, "state_directory: "+state+"\nweb: {listen: [\""+pretending(t, reported(tt.incident), state, false)+"\"]}\n")
			code, out, errs := called(t, append(append([]string{"ack"}, strings.Fields(tt.args)...), "--config.file", file)...)
			if code != tt.code || !strings.Contains(out+errs, tt.want) {
				t.Errorf("exit %d, want %d with %q\n%s%s", code, tt.code, tt.want, out, errs)
			}
			if w, err := override.Read(t.Context(), state); err != nil || (len(w.Accepted) > 0) != (tt.code == 0) {
				t.Errorf("the state directory holds %+v, %v", w, err)
			}
		})
	}
}

// TestADaemonThatTakesNothingUpIsNamed checks that a daemon with another state directory
// is reported.
func TestADaemonThatTakesNothingUpIsNamed(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	state := t.TempDir()
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	put(t, file, "state_directory: "+state+"\nweb: {listen: [\""+pretending(t, reported(nil), state, true)+"\"]}\n")
	code, out, errs := called(t, "maintenance", "start", "--for", "1h", "--reason", "x", "--config.file", file)
	if code != exitWarning || !strings.Contains(out, "Maintenance until") ||
		!strings.Contains(errs, state+" has been changed, but the daemon did not apply it") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// TestListsWithoutADaemon checks that without a daemon, rules and silences come from
// the files, and that the output notes this.
func TestListsWithoutADaemon(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	file, _ := configured(t, nowhere(t)+"rules: {nic-drops: {off: true}}\n")
	for command, want := range map[string]string{"rules": "which of them are raised", "silences": "This is what "} {
		code, out, errs := called(t, command, "--config.file", file)
		if code != exitOK || out == "" || !strings.Contains(errs, noDaemon) || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d\n%s%s", command, code, out, errs)
		}
		var list map[string]any
		if code, out, errs := called(t, command, "--config.file", file, "-o", "json"); code != exitOK ||
			json.Unmarshal([]byte(out), &list) != nil || list["live"] != false || errs != "" {
			t.Errorf("%s: exit %d\n%s%s", command, code, out, errs)
		}
	}
	url := "http://" + free(t)
	for _, command := range []string{"sources", "rules", "silences"} {
		if code, out, errs := called(t, command, "--url", url); code != exitUnknown || out != "" || !strings.Contains(errs, "refused") {
			t.Errorf("%s of an address that is given: exit %d\n%s%s", command, code, out, errs)
		}
	}
	old := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(old.Close)
	if code, _, errs := called(t, "sources", "--url", old.URL); code != exitUnknown || !strings.Contains(errs, "an older version") {
		t.Errorf("of an older daemon: exit %d: %s", code, errs)
	}
}

// TestSourcesWithoutADaemonReadsThemOnce checks that without a daemon, the command itself reads
// each source.
func TestSourcesWithoutADaemonReadsThemOnce(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	file, _ := configured(t, nowhere(t)+"ovs: {off: true}\n")
	code, out, errs := called(t, "sources", "-t", "300", "--config.file", file, "-o", "json")
	var list page.SourceList
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK || !list.OneShot ||
		len(list.Sources) != len(sourceEntries()) {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	for _, s := range list.Sources {
		if s.Name == "ovs" && (s.State != "off" || s.Error != "switched off by ovs.off") || s.Name == "host" &&
			(s.State != "seen" || !strings.Contains(s.Sees, "Linux ")) {
			t.Errorf("got %+v", s)
		}
	}
}

// TestWidths checks that COLUMNS takes precedence over the terminal, and that output
// to a program has one line per row.
func TestWidths(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	file, _ := configured(t, nowhere(t))
	lines := func() (n, widest int) {
		_, out, _ := called(t, "rules", "--config.file", file)
		for line := range strings.Lines(out) {
			n, widest = n+1, max(widest, len([]rune(strings.TrimSuffix(line, "\n"))))
		}
		return n, widest
	}
	piped, wide := lines()
	if rules := len(page.Rules(mustConfig(t, file).Rules, "", nil).Rules); piped != rules+1 || wide < 100 {
		t.Errorf("piped: %d lines of at most %d columns for %d rules", piped, wide, rules)
	}
	t.Setenv("COLUMNS", "60")
	if n, widest := lines(); n <= piped || widest > 60 {
		t.Errorf("60 columns: %d lines of at most %d columns", n, widest)
	}
	if _, out, errs := called(t, "check", "--one-shot", "-t", "300", "--config.file", file, "--colour", "always"); !strings.Contains(out,
		"\x1b[") || !strings.Contains(errs, "--colour is deprecated; use --color") {
		t.Errorf("the old name of --color: %q\n%s", errs, out)
	}
}

func mustConfig(t *testing.T, file string) config.Config {
	t.Helper()
	c, err := readConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
