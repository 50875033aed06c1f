package httpclient_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A file that other users can write is rejected, one that they can read is used with
// a warning, and a symbolic link, as used for managed secrets, is followed.
func TestPermissionsOfASecret(t *testing.T) {
	for _, c := range []struct {
		mode          os.FileMode
		refused, warn string
	}{
		{0o600, "", ""},
		{0o640, "", ""},
		{0o644, "", "can be read by all users"},
		{0o620, "can be written by others", "can be written by others"},
		{0o666, "can be written by others", "can be written by others"},
	} {
		dir := t.TempDir()
		file, link := filepath.Join(dir, "..data"), filepath.Join(dir, "token")
		if err := errors.Join(os.WriteFile(file, []byte("s3cret\n"), 0o600), os.Chmod(file, c.mode),
			os.Symlink("..data", link)); err != nil {
			t.Fatal(err)
		}
		got, err := httpclient.SecretFile(link).Read()
		if c.refused == "" && (err != nil || got != "s3cret") || c.refused != "" &&
			(err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%04o: got %q, %v, want an error with %q", c.mode, got, err, c.refused)
		}
		if w := httpclient.SecretFile(link).Warning(); (c.warn == "") != (w == "") || !strings.Contains(w, c.warn) {
			t.Errorf("%04o: got the warning %q, want %q", c.mode, w, c.warn)
		}
	}
	pipe := filepath.Join(t.TempDir(), "token")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := httpclient.SecretFile(pipe).Read(); err == nil {
		t.Error("a named pipe is read")
	}
}
