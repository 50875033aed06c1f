package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exposure is the maximum exposure that systemd-analyze security may report for the
// service, on a scale from 0 (tight) to 100. CAP_SYS_PTRACE accounts for 5 of it.
const exposure = 28

// unitDir is the directory of the units.
const unitDir = "../../systemd"

func analyze(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed; on Debian: apt-get install systemd")
	}
	return path
}

// installed creates a root directory with the units at their installed paths, and
// returns it.
func installed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, unit := range []string{"nodewatch.service", "nodewatch.socket"} {
		raw, err := os.ReadFile(filepath.Join(unitDir, unit))
		if err != nil {
			t.Fatal(err)
		}
		installFile(t, filepath.Join(root, unit), raw, 0o644)
	}
	return root
}

func installFile(t *testing.T, path string, raw []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, mode); err != nil {
		t.Fatal(err)
	}
}

func TestUnitsAreValid(t *testing.T) {
	tool := analyze(t)
	dir := installed(t)
	// The binary need not exist for the test: an existing one is used instead.
	service := filepath.Join(dir, "nodewatch.service")
	raw, err := os.ReadFile(service)
	if err != nil {
		t.Fatal(err)
	}
	installFile(t, service, bytes.ReplaceAll(raw, []byte("/usr/local/bin/nodewatch"), []byte("/bin/true")), 0o644)
	for _, unit := range []string{"nodewatch.service", "nodewatch.socket"} {
		cmd := exec.Command(tool, "verify", "--man=no", "--recursive-errors=no", filepath.Join(dir, unit))
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), unit) {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

func TestServiceIsTight(t *testing.T) {
	tool := analyze(t)
	service := filepath.Join(installed(t), "nodewatch.service")
	out, err := exec.Command(tool, "security", "--offline=yes", "--no-pager", "--threshold="+strconv.Itoa(exposure),
		service).CombinedOutput()
	if err != nil {
		t.Errorf("exposure is above %d: %v\n%s", exposure, err, out)
	}
	level := regexp.MustCompile(`exposure level for .*: ([0-9.]+)`).FindSubmatch(out)
	if level == nil {
		t.Fatalf("no exposure level in\n%s", out)
	}
	t.Logf("exposure level %s", level[1])
}

// Settings that would make a source unavailable, or nodewatch unfit for a storm, must
// not be added.
func TestServiceKeepsItsCapabilities(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(unitDir, "nodewatch.service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"PrivateDevices=yes", "ProtectKernelLogs=yes", "PrivateNetwork=yes", "PrivateUsers=yes",
		"ProtectProc=invisible", "ProcSubset=pid"} {
		if regexp.MustCompile(`(?m)^` + never).Match(raw) {
			t.Errorf("%s makes nodewatch blind", never)
		}
	}
	for _, must := range []string{"Type=notify", "WatchdogSec=", "RuntimeDirectoryPreserve=restart", "StateDirectory=nodewatch",
		"Restart=always", "StartLimitIntervalSec=0", "LimitMEMLOCK=infinity", "NoNewPrivileges=yes", "OOMPolicy=continue", "TasksMax=512",
		"SystemCallFilter=.* setpriority prlimit64$", "SystemCallFilter=~ptrace process_vm_readv process_vm_writev .*setns"} {
		if !regexp.MustCompile(`(?m)^` + must).Match(raw) {
			t.Errorf("%s is missing", must)
		}
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if caps, is := strings.CutPrefix(line, "AmbientCapabilities="); is &&
			caps != "CAP_SYSLOG CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_IPC_LOCK" {
			t.Errorf("more or fewer capabilities than are explained: %s", caps)
		}
	}
}

// The drop-in removes one capability of the unit, and changes nothing else.
func TestDropInRemovesOneCapability(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(unitDir, "no-open-files.conf"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if got, want := strings.Join(lines, " "),
		"[Service] CapabilityBoundingSet=~CAP_SYS_PTRACE AmbientCapabilities=~CAP_SYS_PTRACE"; got != want {
		t.Errorf("got %s", got)
	}
	tool := analyze(t)
	root := installed(t)
	service := filepath.Join(root, "nodewatch.service")
	unit, err := os.ReadFile(service)
	if err != nil {
		t.Fatal(err)
	}
	installFile(t, service, bytes.ReplaceAll(unit, []byte("/usr/local/bin/nodewatch"), []byte("/bin/true")), 0o644)
	installFile(t, filepath.Join(root, "nodewatch.service.d", "no-open-files.conf"), raw, 0o644)
	if out, err := exec.Command(tool, "verify", "--man=no", "--recursive-errors=no", service).CombinedOutput(); err != nil ||
		strings.Contains(string(out), "no-open-files") {
		t.Errorf("%v\n%s", err, out)
	}
}
