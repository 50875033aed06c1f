package hostfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

func TestParseDev(t *testing.T) {
	for text, want := range map[string][3]uint32{
		"254:16": {254, 16, 1}, "0:0": {0, 0, 1}, "4294967295:4294967295": {1<<32 - 1, 1<<32 - 1, 1},
		"": {}, "254": {}, "254:": {}, ":1": {}, "254:1x": {}, "4294967296:0": {}, "1:18446744073709551616": {}, "1:-1": {},
	} {
		major, minor, ok := ParseDev(text)
		if got := [3]uint32{major, minor, map[bool]uint32{true: 1}[ok]}; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestAttributesAreBounded(t *testing.T) {
	root := t.TempDir()
	sys := FS(root)
	buf := make([]byte, 100)
	for _, size := range []int{0, 1, 99, 100, 4095, 4096, MaxSize - 1, MaxSize, MaxSize + 1} {
		want := bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(filepath.Join(root, "a"), want, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := fs.ReadFile(sys, "a")
		if ok := size < MaxSize; ok != (err == nil) || ok && !bytes.Equal(b, want) {
			t.Errorf("%d bytes: got %d, %v from ReadFile", size, len(b), err)
		}
		for _, sys := range []fs.FS{sys, fstest.MapFS{"a": {Data: want}}} {
			b, err = Read(sys, "a", buf)
			if ok := size < len(buf); ok != (err == nil) || ok && !bytes.Equal(b, want) || !ok && !errors.Is(err, ErrLong) {
				t.Errorf("%d bytes: got %d, %v with a buffer of %d of %T", size, len(b), err, len(buf), sys)
			}
		}
	}
}
