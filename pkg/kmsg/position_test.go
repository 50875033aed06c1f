package kmsg

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPositionFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg.position")
	if p, err := LoadPosition(path); err != nil || p != (Position{}) {
		t.Errorf("got %v, %v from no file, want none", p, err)
	}
	for _, want := range []Position{{thisBoot, 0}, {thisBoot, 2969}, {lastBoot, 1<<64 - 2}} {
		if err := SavePosition(path, want); err != nil {
			t.Fatal(err)
		}
		if got, err := LoadPosition(path); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	left, err := filepath.Glob(path + "*")
	if err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want only the file", left, err)
	}
}

func TestPositionGarbage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg.position")
	for _, text := range []string{
		"", "\n", "x", thisBoot, thisBoot + " ", thisBoot + " -1", thisBoot + " 1 2", thisBoot + "  1", thisBoot + " 1\n\n", thisBoot + " 18446744073709551615",
		strings.ToUpper(thisBoot[:35]) + "g 1", strings.ReplaceAll(thisBoot, "-", "0") + " 1", strings.Repeat("0", 1<<20), "\x00\xff",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := LoadPosition(path); !errors.Is(err, ErrPosition) || p != (Position{}) {
			t.Errorf("%.50q: got %v, %v", text, p, err)
		}
	}
	if p, err := LoadPosition(t.TempDir()); err == nil {
		t.Errorf("got %v from a directory", p)
	}
}

func TestPositionNotSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg.position")
	if err := SavePosition(path, Position{}); !errors.Is(err, ErrPosition) {
		t.Errorf("got %v for the zero Position, want that it is none", err)
	}
	if err := SavePosition(filepath.Join(path, "x"), Position{thisBoot, 1}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no such directory", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := SavePosition(path, Position{thisBoot, 1}); err == nil {
		t.Error("a directory was replaced")
	}
}
