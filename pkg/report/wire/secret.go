package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxSecret is the size of the largest file that is taken for a secret, in bytes.
const maxSecret = 16 << 10

// A SecretFile names a file that holds a secret: a token, a key, a URL with one
// in it. A relative path is looked for where systemd puts credentials
// (systemd.exec(5), LoadCredential=). The secret itself never stands in the
// configuration, and is read anew for each use, so that it can be changed while
// nodewatch runs. It may be a symbolic link, as managed secrets are; a file that
// others can write is refused.
type SecretFile string

// Read returns the secret, without white space around it. An empty name is an
// empty secret. No error shows the content.
func (f SecretFile) Read() (string, error) {
	if f == "" {
		return "", nil
	}
	path, err := f.path()
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a named pipe must not hold the reporter up
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("secret: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("secret %s is no regular file", path)
	case info.Mode().Perm()&0o022 != 0:
		return "", fmt.Errorf("secret %s can be written by others (mode %04o): chmod go-w %s", path, info.Mode().Perm(), path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("secret: %w", err)
	case len(raw) > maxSecret:
		return "", fmt.Errorf("secret %s is larger than 16 KiB", path)
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" {
		return "", fmt.Errorf("secret %s is empty", path)
	}
	if strings.ContainsAny(secret, "\r\n\x00") {
		return "", errors.New("secret " + path + " holds more than one line")
	}
	return secret, nil
}

// path is where the secret is.
func (f SecretFile) path() (string, error) {
	path := string(f)
	if filepath.IsAbs(path) {
		return path, nil
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("secret %s: a relative path is a systemd credential, and systemd has passed none", path)
	}
	return filepath.Join(dir, path), nil
}

// Warning returns what is unsafe about the file, though it is used; empty if nothing
// is, or if it cannot be seen.
func (f SecretFile) Warning() string {
	path, err := f.path()
	if f == "" || err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return ""
	}
	return fmt.Sprintf("secret %s can be read by everybody (mode %04o): chmod o-r %s", path, info.Mode().Perm(), path)
}
