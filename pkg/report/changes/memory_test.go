package changes_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

func fileIn(t *testing.T, dir string) statefile.File {
	t.Helper()
	f, err := statefile.In(dir, "chat")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAMemoryOutlivesTheRun(t *testing.T) {
	dir := t.TempDir()
	m := changes.Remember(fileIn(t, dir))
	s := newScene(start)
	s.set("crc", "osd3", report.Warning, report.Operational)
	_, next := m.Baseline().Diff(s.r)
	m.Set(next)
	if again := changes.Remember(fileIn(t, dir)); len(again.Baseline().Findings) != 0 {
		t.Error("saved before Keep")
	}
	if err := m.Persist(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(next, changes.Remember(fileIn(t, dir)).Baseline()); diff != "" {
		t.Errorf("(-set +loaded):\n%s", diff)
	}
}

func TestKeepWritesOnlyWhatChanged(t *testing.T) {
	dir := t.TempDir()
	m := changes.Remember(fileIn(t, dir))
	path := filepath.Join(dir, "reporter-chat.json")
	for _, c := range []struct {
		sent   uint64
		writes bool
	}{{0, false}, {1, true}, {1, false}, {2, true}} {
		reported := m.Baseline()
		reported.Sent = c.sent
		m.Set(reported)
		_ = os.Remove(path)
		if err := m.Persist(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); (err == nil) != c.writes {
			t.Errorf("sent %d: written: %v, want %v", c.sent, err == nil, c.writes)
		}
	}
}

// A change whose save failed is saved by a later Persist.
func TestAKeepThatFailedIsDoneAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	m := changes.Remember(fileIn(t, dir))
	m.Set(changes.Baseline{Sent: 7})
	if err := m.Persist(); err == nil {
		t.Fatal("saved in a directory that is not there")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.Persist(); err != nil || changes.Remember(fileIn(t, dir)).Baseline().Sent != 7 {
		t.Errorf("%v; %+v", err, changes.Remember(fileIn(t, dir)).Baseline())
	}
}

func TestABrokenFileIsSaidAndForgotten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "reporter-chat.json"), []byte(`{"sent":3,"findings":[7]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	m := changes.Remember(fileIn(t, dir))
	if m.Baseline().Sent != 0 {
		t.Errorf("half of it is believed: %+v", m.Baseline())
	}
	if err := m.Persist(); err == nil {
		t.Error("nobody is told")
	}
	if err := m.Persist(); err != nil {
		t.Errorf("told twice: %v", err)
	}
}
