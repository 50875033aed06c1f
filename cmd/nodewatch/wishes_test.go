package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// configured writes a configuration whose state directory is the test's own.
func configured(t *testing.T, more string) (file, state string) {
	t.Helper()
	dir := t.TempDir()
	file, state = filepath.Join(dir, "nodewatch.yml"), filepath.Join(dir, "state")
	text := fmt.Sprintf("node: node2\nsite: rl1\nstate_directory: %s\n%s", state, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, state
}

func TestWishesAreMadeListedAndWithdrawn(t *testing.T) {
	file, _ := configured(t, "")
	step := func(code int, want string, args ...string) {
		t.Helper()
		got, out, errs := called(t, append(args, "--config.file", file)...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("%v: exit %d, want %d with %q\n%s%s", args, got, code, want, out, errs)
		}
	}
	step(0, "no maintenance, and nothing is accepted", "wishes")
	step(0, "by carol: new NIC", "maintenance", "start", "--for", "2h", "--reason", "new NIC", "--by", "carol")
	step(0, "accepted until", "accept", "bond-hash-layer2", "bond0", "--until", "72h", "--reason", "switch comes on Monday")
	step(0, "up to warning: incident-over (every subject): acknowledged", "ack", "incident")
	step(0, "", "ack", "incident-over", "--withdraw")
	step(0, "up to critical: nic-saturated (every subject)", "accept", "nic-saturated", "--until", "72h", "--reason", "backups", "--severity", "critical")
	step(0, "by carol: new NIC", "wishes")
	step(0, "up to warning: bond-hash-layer2 bond0: again", "accept", "bond-hash-layer2", "bond0", "--until", "1h", "--reason", "again")
	step(0, "nic-saturated", "maintenance", "stop")
	step(2, "no maintenance is under way", "maintenance", "stop")
	step(2, "bond-lacp bond0 is not accepted", "accept", "bond-lacp", "bond0", "--withdraw")
	step(0, "", "accept", "nic-saturated", "--withdraw")
	step(0, "no maintenance, and nothing is accepted", "accept", "bond-hash-layer2", "bond0", "--withdraw")
}

func TestWishesThatAreRefused(t *testing.T) {
	file, state := configured(t, "")
	for want, args := range map[string][]string{
		"required flag(s) '--reason'": {"maintenance", "start", "--for", "2h"},
		"--for must be from":          {"maintenance", "start", "--for=-2h", "--reason", "x"},
		"no rule \"bond\" in force":   {"accept", "bond", "--until", "1h", "--reason", "x"},
		"--reason is needed":          {"accept", "bond-lacp", "--until", "1h"},
		"--until \"\" is no date":     {"accept", "bond-lacp", "--reason", "x"},
		"--until \"soon\" is no date": {"accept", "bond-lacp", "--until", "soon", "--reason", "x"},
		"must lie in the coming year": {"accept", "bond-lacp", "--until", "2020-01-01", "--reason", "x"},
		"cannot be printed":           {"accept", "bond-lacp", "--until", "1h", "--reason", "x\x1b[2J"},
	} {
		code, out, errs := called(t, append(args, "--config.file", file)...)
		if code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%v: exit %d, want %q\n%s%s", args, code, want, out, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(state, "wishes.json")); err == nil {
		t.Error("something was written")
	}
}

func TestTheEndOfAnAcceptance(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	for text, want := range map[string]string{
		"72h":                  "2026-11-25T11:00:00Z",
		"2026-11-22":           "2026-11-22T23:00:00Z", // the end of the day, there
		"2026-12-24 06:00":     "2026-12-24T05:00:00Z",
		"2026-12-24T06:00:00Z": "2026-12-24T06:00:00Z",
	} {
		if got, err := end(text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
}
