package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/klauspost/compress/zstd"

	"github.com/nodewatch/nodewatch/internal/tape"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// taped records an incident on a tape, as a daemon does.
func taped(t *testing.T, incident string) []byte {
	t.Helper()
	in, err := play(incident)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	var b bytes.Buffer
	w := tape.NewWriter(&b)
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			return b.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
}

type replayLine struct {
	Offset float64       `json:"offset_s"`
	Report report.Report `json:"report"`
}

// An incident, its tape and its compressed tape result in the same lines: the first
// report, those that differ, and the last.
func TestReplayAsJSON(t *testing.T) {
	incident := filepath.Join(incidents, "blocklisted.txtar")
	plain := filepath.Join(t.TempDir(), "tape.jsonl")
	packed := plain + ".zst"
	raw := taped(t, incident)
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(plain, raw, 0o600), os.WriteFile(packed, z.EncodeAll(raw, nil), 0o600)); err != nil {
		t.Fatal(err)
	}
	code, want, errs := called(t, "replay", "--output", "json", incident)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, file := range []string{plain, packed} {
		if code, got, errs := called(t, "replay", "--output", "json", file); code != exitOK || got != want {
			t.Errorf("%s: exit %d: %s; its lines are not the incident's", filepath.Base(file), code, errs)
		}
	}
	var lines []replayLine
	for raw := range strings.Lines(want) {
		var l replayLine
		if err := json.Unmarshal([]byte(raw), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	first, last := lines[0], lines[len(lines)-1]
	if first.Offset != 0.9 || last.Offset != 600.9 {
		t.Errorf("lines from %g s to %g s, want 0.9 to 600.9", first.Offset, last.Offset)
	}
	for i := 1; i < len(lines)-1; i++ {
		if fingerprint(lines[i].Report) == fingerprint(lines[i-1].Report) {
			t.Errorf("the line at %g s says what the one before it says", lines[i].Offset)
		}
	}
}

// A tape is untrusted: its content does not reach the terminal raw.
func TestReplayPrintsNoControlCharacters(t *testing.T) {
	const hostile = "\\u001b]0;owned\\u0007\\u009b2J\\u202e"
	raw := bytes.ReplaceAll(taped(t, filepath.Join(incidents, "blocklisted.txtar")), []byte("vm-103-disk-0"), []byte("vm-103"+hostile))
	file := filepath.Join(t.TempDir(), "tape.jsonl")
	refused := file + ".refused.jsonl"
	bad := "{\"at\":\"2026-03-01T03:00:00Z\",\"saw\":\"" + hostile + "\",\"obs\":{}}\n"
	if err := errors.Join(os.WriteFile(file, raw, 0o600), os.WriteFile(refused, []byte(bad), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, output string
		code         int
	}{{file, "text", exitOK}, {file, "json", exitOK}, {refused, "text", exitCritical}} {
		code, out, errs := called(t, "replay", "--output", tt.output, tt.file)
		if code != tt.code || !strings.Contains(out+errs, "owned") {
			t.Fatalf("%s: exit %d: %s; the hostile name is not shown", tt.output, code, errs)
		}
		if at := strings.IndexFunc(out+errs, func(r rune) bool {
			return r != '\n' &&
				(unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
		}); at >= 0 {
			t.Errorf("%s: raw control character at %d", tt.output, at)
		}
	}
}

// An invalid tape or incident ends the command with one line: file, line, word, and
// what is allowed.
func TestReplayRefusesWhatItCannotPlay(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ text, want string }{
		"README.md":   {"# nodewatch\n", "README.md:1: not a tape entry, which is a line {\"at\": TIME"},
		"empty.jsonl": {"", "empty.jsonl:1: not a tape entry"},
		"word.jsonl": {`{"at":"2026-03-01T02:00:00Z","saw":"nick","obs":{}}`,
			`word.jsonl:1: unknown observation "nick"; valid are start,`},
		"early.jsonl": {`{"at":"2026-03-01T02:00:00Z","saw":"start","obs":{}}`,
			"early.jsonl: no verdict: the recording ends before every source has been read"},
		"verb.txtar": {"A story.\n-- tape --\n0s start node2\n1s dance\n9s end\n",
			`verb.txtar:4: "dance" is not a verb; the verbs are ack,`},
		"time.txtar": {"-- tape --\n0s start node2\n9s restart\n8s end\n", `time.txtar:4: "8s" is before the line above it`},
		"source.txtar": {"-- tape --\n0s blind dmesg stalled x\n8s end\n",
			`source.txtar:2: blind: "dmesg" is not a source; the sources are bond,`},
		"nothing.txtar": {"A story.\n", `nothing.txtar: no part "-- tape --"`},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, output := range []string{"text", "json"} {
			code, out, errs := called(t, "replay", "--output", output, file)
			if code != exitCritical || out != "" || strings.Count(errs, "\n") != 1 ||
				!strings.HasPrefix(errs, "nodewatch: "+dir+"/"+tt.want) {
				t.Errorf("%s: exit %d, printed %q and %q, want %q", name, code, out, errs, tt.want)
			}
		}
	}
}
