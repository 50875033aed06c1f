package override_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nodewatch/nodewatch/internal/override"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func accepted(rule string) override.Acknowledgement {
	return override.Acknowledgement{Rule: rule, Severity: "warning", At: noon, Until: noon.Add(time.Hour), By: "alice",
		Reason: "switch comes on Monday"}
}

func TestWhatAnAcceptanceCovers(t *testing.T) {
	a := accepted("bond-degraded")
	a.Subject = "bond0"
	for _, c := range []struct {
		rule, subject string
		at            time.Time
		want          bool
	}{
		{"bond-degraded", "bond0", noon, true},
		{"bond-degraded", "bond1", noon, false},
		{"bond-lacp", "bond0", noon, false},
		{"bond-degraded", "bond0", noon.Add(time.Hour), false},
		{"bond-degraded", "bond0", noon.Add(-time.Hour), false},
		{"bond-degraded", "bond0", noon.Add(-30 * time.Second), true},
	} {
		if got := a.Covers(c.rule, c.subject, c.at); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if all := accepted("bond-degraded"); !all.Covers("bond-degraded", "bond7", noon) {
		t.Error("one without a subject does not cover every subject")
	}
}

func TestChangesSurviveAndDoNotMeet(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := override.Change(t.Context(), dir, func(w override.Overrides) (override.Overrides, error) {
				w.Accepted = append(w.Accepted, accepted("rule-"+string(rune('a'+i))))
				return w, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w, err := override.Read(t.Context(), dir)
	if err != nil || len(w.Accepted) != 20 {
		t.Errorf("%d of 20 are there, %v", len(w.Accepted), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".overrides.json.[0-9]*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestARefusedChangeDoesNotTouchTheFile(t *testing.T) {
	dir := t.TempDir()
	put := func(change func(override.Overrides) (override.Overrides, error)) error {
		return override.Change(t.Context(), dir, change)
	}
	if err := put(func(w override.Overrides) (override.Overrides, error) {
		w.Accepted = []override.Acknowledgement{accepted("bond-lacp")}
		return w, nil
	}); err != nil {
		t.Fatal(err)
	}
	before, _ := override.Read(t.Context(), dir)
	no := errors.New("no")
	if err := put(func(w override.Overrides) (override.Overrides, error) { return override.Overrides{}, no }); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	bad := accepted("bond-lacp")
	bad.Reason = ""
	if err := put(func(w override.Overrides) (override.Overrides, error) {
		return override.Overrides{Accepted: []override.Acknowledgement{bad}}, nil
	}); err == nil {
		t.Error("an override without a reason is taken")
	}
	after, err := override.Read(t.Context(), dir)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestExpiredOverridesAreLeftOut(t *testing.T) {
	w := override.Overrides{Maintenance: &override.Maintenance{Since: noon, Until: noon.Add(time.Hour)},
		Accepted: []override.Acknowledgement{accepted("bond-lacp")}}
	if got := w.Without(noon.Add(59 * time.Minute)); got.Maintenance == nil || len(got.Accepted) != 1 ||
		!got.Maintenance.Holds(noon.Add(59*time.Minute)) {
		t.Errorf("before the end: %+v", got)
	}
	if got := w.Without(noon.Add(time.Hour)); got.Maintenance != nil || len(got.Accepted) != 0 {
		t.Errorf("at the end: %+v", got)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	whole, _ := json.Marshal(accepted("bond-lacp"))
	for name, text := range map[string]string{
		"empty":         "",
		"no JSON":       "maintenance",
		"two values":    "{} {}",
		"unknown field": `{"silence":true}`,
		"no reason":     strings.Replace(`{"accepted":[`+string(whole)+`]}`, "switch comes on Monday", "", 1),
		"ends first":    `{"maintenance":{"since":"2026-11-22T12:00:00Z","until":"2026-11-22T11:00:00Z","by":"a","reason":"b"}}`,
		"escape":        strings.Replace(`{"accepted":[`+string(whole)+`]}`, "switch", `\u001b[31m`, 1),
		"long":          strings.Replace(`{"accepted":[`+string(whole)+`]}`, "switch", strings.Repeat("x", 501), 1),
		"many":          `{"accepted":[` + strings.Repeat(string(whole)+",", 200) + string(whole) + `]}`,
		"large":         `{"accepted":[` + strings.Repeat(" ", 256<<10) + `]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "overrides.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := override.Read(t.Context(), dir); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if w, err := override.Read(t.Context(), filepath.Join(dir, "none")); err != nil || w.Maintenance != nil {
		t.Errorf("no directory: %v", err)
	}
}

// Parsed overrides can be written and parsed again, and are the same.
func FuzzParse(f *testing.F) {
	whole, _ := json.Marshal(override.Overrides{Maintenance: &override.Maintenance{Since: noon, Until: noon.Add(time.Hour), By: "alice",
		Reason: "cable"}, Accepted: []override.Acknowledgement{accepted("bond-lacp")}})
	f.Add(string(whole))
	f.Add("{}")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := override.Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		raw, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		again, err := override.Parse(strings.NewReader(string(raw)))
		if diff := cmp.Diff(w, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// A command that waits for another command's change ends with its context, for
// example on Ctrl-C.
func TestAWaitForTheLockEnds(t *testing.T) {
	dir := t.TempDir()
	same := func(w override.Overrides) (override.Overrides, error) { return w, nil }
	err := override.Change(t.Context(), dir, func(w override.Overrides) (override.Overrides, error) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := override.Change(ctx, dir, same); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		return w, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := override.Change(t.Context(), dir, same); err != nil {
		t.Errorf("the lock is free, but: %v", err)
	}
}

func TestTheFormerFileIsReadUntilTheFirstChange(t *testing.T) {
	dir := t.TempDir()
	was := `{"accepted":[{"rule":"bond-lacp","severity":"warning","at":"2026-11-01T00:00:00Z","until":"2026-12-01T00:00:00Z","by":"carol","reason":"new switch"}]}`
	if err := os.WriteFile(filepath.Join(dir, "wishes.json"), []byte(was), 0o644); err != nil {
		t.Fatal(err)
	}
	if w, err := override.Read(t.Context(), dir); err != nil || len(w.Accepted) != 1 {
		t.Fatalf("%d are read, %v", len(w.Accepted), err)
	}
	if err := override.Change(t.Context(), dir, func(w override.Overrides) (override.Overrides, error) {
		w.Accepted = nil
		return w,
			nil
	}); err != nil {
		t.Fatal(err)
	}
	if w, err := override.Read(t.Context(), dir); err != nil || len(w.Accepted) != 0 {
		t.Errorf("after a change %d are read, %v", len(w.Accepted), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "wishes.json")); err == nil {
		t.Error("the former file is left behind")
	}
}
