package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nowhere returns a configuration with which no daemon of this machine is queried.
func nowhere(t *testing.T) string { return "web: {listen: [\"" + free(t) + "\"]}\n" }

// configured writes a configuration with the test's own state directory.
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

func TestOverridesAreMadeListedAndWithdrawn(t *testing.T) {
	file, _ := configured(t, nowhere(t))
	step := func(code int, want string, args ...string) {
		t.Helper()
		got, out, errs := called(t, append(args, "--config.file", file)...)
		if got != code || !strings.Contains(strings.Join(strings.Fields(out+errs), " "), want) {
			t.Errorf("%v: exit %d, want %d with %q\n%s%s", args, got, code, want, out, errs)
		}
	}
	step(0, "No maintenance and no acknowledged findings.", "silences")
	step(0, "by carol: new NIC.", "maintenance", "start", "--for", "2h", "--reason", "new NIC", "--by", "carol")
	step(0, "It replaces the maintenance until", "maintenance", "start", "--for", "1d", "--reason", "new switch", "--by", "carol")
	step(0, "Acknowledged bond-hash-layer2 on bond0 up to severity warning until", "accept", "bond-hash-layer2", "bond0", "--until", "72h",
		"--reason", "switch comes on Monday")
	step(0, "Acknowledged incident-over (every subject) up to severity warning until", "ack", "incident")
	step(0, "No longer acknowledged: incident-over (every subject). It pages again.", "ack", "incident-over", "--withdraw")
	step(0, "Acknowledged nic-saturated (every subject) up to severity critical", "ack", "nic-saturated", "--until", "3d", "--reason",
		"backups", "--severity", "critical")
	step(0, "by carol: new switch", "wishes")
	step(0, "by dan: again.", "ack", "bond-hash-layer2", "bond0", "--until", "1h", "--reason", "again", "--by", "dan")
	step(0, "Ended the maintenance until", "maintenance", "stop")
	step(2, "no maintenance is in progress", "maintenance", "stop")
	step(2, "bond-lacp bond0 is not acknowledged", "ack", "bond-lacp", "bond0", "--withdraw")
	step(0, "", "ack", "nic-saturated", "--withdraw")
	step(0, "dan: again", "silences")
	step(0, "", "ack", "bond-hash-layer2", "bond0", "--withdraw")
	step(0, "No maintenance and no acknowledged findings.", "silences")
}

func TestOverridesThatAreRefused(t *testing.T) {
	file, state := configured(t, "")
	for want, args := range map[string][]string{
		"required flag(s) '--reason'":    {"maintenance", "start", "--for", "2h"},
		"--for \"-2h\" must be":          {"maintenance", "start", "--for=-2h", "--reason", "x"},
		"--for \"400d\" must be":         {"maintenance", "start", "--for=400d", "--reason", "x"},
		"no active rule \"bond\"":        {"accept", "bond", "--until", "1h", "--reason", "x"},
		"--reason is required":           {"accept", "bond-lacp", "--until", "1h"},
		"--until \"\" is not a date":     {"accept", "bond-lacp", "--reason", "x"},
		"--until \"soon\" is not a date": {"accept", "bond-lacp", "--until", "soon", "--reason", "x"},
		"is in the past":                 {"accept", "bond-lacp", "--until", "2020-01-01", "--reason", "x"},
		"more than a year ahead":         {"accept", "bond-lacp", "--until", "2y", "--reason", "x"},
		"unprintable characters":         {"accept", "bond-lacp", "--until", "1h", "--reason", "x\x1b[2J"},
	} {
		code, out, errs := called(t, append(args, "--config.file", file)...)
		if code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%v: exit %d, want %q\n%s%s", args, code, want, out, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(state, "overrides.json")); err == nil {
		t.Error("something was written")
	}
}

func TestTheEndOfAnAcceptance(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	for text, want := range map[string]string{
		"72h":                  "2026-11-25T11:00:00Z",
		"3d":                   "2026-11-25T11:00:00Z",
		"2026-11-22":           "2026-11-22T23:00:00Z", // the end of the day in that zone
		"2026-12-24 06:00":     "2026-12-24T05:00:00Z",
		"2026-12-24T06:00:00Z": "2026-12-24T06:00:00Z",
	} {
		if got, err := end(text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
}
