package statefile_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

type memory struct {
	Seq  int      `json:"seq"`
	List []string `json:"list"`
}

func in(t *testing.T, dir string) statefile.File {
	t.Helper()
	f, err := statefile.In(dir, "status")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// names returns the names of the files in a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		list = append(list, e.Name())
	}
	return list
}

func TestWhatIsSavedIsLoaded(t *testing.T) {
	dir := t.TempDir()
	want := memory{Seq: 7, List: []string{"a", "b"}}
	if err := in(t, dir).Save(memory{Seq: 1, List: []string{"an older and longer content"}}); err != nil {
		t.Fatal(err)
	}
	if err := in(t, dir).Save(want); err != nil {
		t.Fatal(err)
	}
	var got memory
	if err := in(t, dir).Load(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"reporter-status.json"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, "reporter-status.json"))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
}

// A file is replaced, never written in place: a process that has the old one open, or
// a link to it, as after a crash during the save, still has the whole old content.
func TestASaveIsAtomic(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "reporter-status.json"), filepath.Join(dir, "link")
	if err := in(t, dir).Save(memory{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	if err := in(t, dir).Save(memory{Seq: 2}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: `"seq":2`, link: `"seq":1`} {
		if raw, err := os.ReadFile(name); err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s: %s, %v, want %s", name, raw, err, want)
		}
	}
}

// A failed save leaves the old content and no temporary file.
func TestAFailedSaveLeavesTheOldContent(t *testing.T) {
	dir := t.TempDir()
	if err := in(t, dir).Save(memory{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if err := in(t, dir).Save(make(chan int)); err == nil || !strings.HasPrefix(err.Error(), "state: ") {
		t.Errorf("what JSON cannot say: %v", err)
	}
	var got memory
	if err := in(t, dir).Load(&got); err != nil || got.Seq != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	blocked := t.TempDir()
	if err := os.MkdirAll(filepath.Join(blocked, "reporter-status.json", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := in(t, blocked).Save(memory{Seq: 2}); err == nil {
		t.Error("a directory in the place of the file: saved")
	}
	if diff := cmp.Diff([]string{"reporter-status.json"}, names(t, blocked)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := in(t, filepath.Join(dir, "none")).Save(memory{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func TestNothingSavedLeavesTheValueUnchanged(t *testing.T) {
	got := memory{Seq: 3}
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none"), ""} {
		if err := in(t, dir).Load(&got); err != nil || got.Seq != 3 {
			t.Errorf("%q: %+v, %v", dir, got, err)
		}
	}
}

func TestABrokenFileIsSetAside(t *testing.T) {
	for name, text := range map[string]string{
		"garbage": "\x00\xff{", "half": `{"seq": 7, "li`, "empty": "", "another type": `{"seq": "seven"}`,
		"too much space": `{"seq": 7}` + strings.Repeat(" ", 4<<20), "too large": `{"list": ["` + strings.Repeat("x", 4<<20) + `"]}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "reporter-status.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var got memory
		err := in(t, dir).Load(&got)
		if err == nil || !strings.Contains(err.Error(), "reporter-status.json.broken") {
			t.Errorf("%s: %v", name, err)
		}
		if raw, err := os.ReadFile(path + ".broken"); err != nil || string(raw) != text {
			t.Errorf("%s: set aside: %d bytes, %v", name, len(raw), err)
		}
		if err := in(t, dir).Load(&got); err != nil {
			t.Errorf("%s: once it is set aside: %v", name, err)
		}
	}
}

// A file of the maximum size is read.
func TestALargeFileIsRead(t *testing.T) {
	dir := t.TempDir()
	want := memory{List: []string{strings.Repeat("x", 4<<20-100)}}
	if err := in(t, dir).Save(want); err != nil {
		t.Fatal(err)
	}
	var got memory
	if err := in(t, dir).Load(&got); err != nil || len(got.List) != 1 || got.List[0] != want.List[0] {
		t.Errorf("%v", err)
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "status", "on-call.2", "0", strings.Repeat("x", 63)} {
		if _, err := statefile.In(t.TempDir(), good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", ".hidden", "-x", "a/b", "../a", "A", "a b", "a\x00", "ä", strings.Repeat("x", 64), "a\n"} {
		if _, err := statefile.In(t.TempDir(), bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestNowhereForgets(t *testing.T) {
	f := in(t, "")
	if f.Persistent() || !in(t, t.TempDir()).Persistent() {
		t.Error("what lasts and what does not are taken for each other")
	}
	if err := f.Save(memory{Seq: 7}); err != nil {
		t.Error(err)
	}
	var got memory
	if err := f.Load(&got); err != nil || got.Seq != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Property: a file with any content is either loaded or renamed; after that the next
// save and load work.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{`{"seq":7,"list":["a"]}`, "", "null", "[]", `{"seq":1e999}`, `{"list":[null]}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "reporter-status.json")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		var got memory
		err := in(t, dir).Load(&got)
		if _, aside := os.Stat(path + ".broken"); (err != nil) != (aside == nil) ||
			(err == nil) != (json.Unmarshal(raw, new(memory)) == nil) {
			t.Fatalf("%q: %v, set aside: %v", raw, err, aside == nil)
		}
		if err := in(t, dir).Save(memory{Seq: 9}); err != nil {
			t.Fatal(err)
		}
		if err := in(t, dir).Load(&got); err != nil || got.Seq != 9 {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}
