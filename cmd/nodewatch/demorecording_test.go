package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// demoFrom is the beginning of the recording, in seconds of the incident's file.
const demoFrom = 3600

// TestDocsTheDemoRecordingIsFresh checks the recording that nodewatch-status demo replays: of the reports in the incident, each
// one that changes a page, and one a minute.
func TestDocsTheDemoRecordingIsFresh(t *testing.T) {
	const file = "../nodewatch-status/demo/rl1-node2.jsonl.zst"
	code, out, errs := called(t, "replay", "--output", "json", "../../testdata/incidents/rl1-node2.txtar")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	inventory := regexp.MustCompile(`"inventory":\{[^}]*\},`) // the demo gives each of its nodes one
	var want strings.Builder
	last, shown := -60.0, ""
	for line := range strings.Lines(out) {
		var r struct {
			Offset float64       `json:"offset_s"`
			Report report.Report `json:"report"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		now := string(r.Report.Status)
		for _, c := range r.Report.Components {
			now += fmt.Sprint(" ", c.Name, c.Status, c.State)
		}
		for _, f := range r.Report.Findings {
			now += fmt.Sprint(" ", f.Rule, f.Subject, f.Severity, f.Impact)
		}
		if r.Offset >= demoFrom && (now != shown || r.Offset-last >= 60) {
			want.WriteString(inventory.ReplaceAllString(line, ""))
			last, shown = r.Offset, now
		}
	}
	if *update {
		var packed bytes.Buffer
		w, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(want.String())); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		installFile(t, file, packed.Bytes(), 0o644)
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := r.DecodeAll(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("%s is stale; make docs writes it (-now +file)\n%.2000s", file, diff)
	}
}
