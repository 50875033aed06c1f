package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readmeReplay matches the README's example: its command and its output.
var readmeReplay = regexp.MustCompile("(?s)```console\n\\$ bin/nodewatch replay --brief testdata/incidents/rl1-node2.txtar \\| grep -E '([^'\n]*)' \\| cut -c12-150\n(.*?)```")

// The output in the README is the output of the command.
func TestDocsReadmeIsFresh(t *testing.T) {
	const name = "../../README.md"
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := readmeReplay.FindSubmatchIndex(raw)
	if at == nil {
		t.Fatal("README.md does not show the incident")
	}
	var want strings.Builder
	shown := regexp.MustCompile(string(raw[at[2]:at[3]]))
	for line := range strings.Lines(replayed(t, incidents+"/rl1-node2.txtar")) {
		if !shown.MatchString(line) {
			continue
		}
		cut := strings.TrimSuffix(line, "\n")
		want.WriteString(cut[11:min(len(cut), 150)] + "\n")
	}
	if *update {
		out := string(raw[:at[4]]) + want.String() + string(raw[at[5]:])
		if err := os.WriteFile(name, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want.String(), string(raw[at[4]:at[5]])); diff != "" {
		t.Errorf("README.md is stale; make docs rewrites it (-command +README)\n%s", diff)
	}
	for _, command := range []string{"make run", "make test"} {
		if !strings.Contains(string(raw), command) {
			t.Errorf("README.md does not show %q", command)
		}
	}
}
