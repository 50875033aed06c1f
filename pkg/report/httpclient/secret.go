package httpclient

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxSecret is the maximum size of a file with a one-line secret, in bytes.
const maxSecret = 16 << 10

// A SecretFile is the name of a file that contains a secret: a token, a key, a URL
// with one in it. A relative path is relative to systemd's directory of credentials
// (systemd.exec(5), LoadCredential=). The secret itself is never in the
// configuration. It is read again for each use, so that it can be changed while
// nodewatch runs. The file may be a symbolic link, as managed secrets are; a file
// that other users can write is rejected.
type SecretFile string

// Read returns a secret of one line, without surrounding white space. An empty name
// yields an empty secret. No error contains the content.
func (f SecretFile) Read() (string, error) {
	if f == "" {
		return "", nil
	}
	raw, err := f.Content(maxSecret)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" {
		return "", fmt.Errorf("secret %s is empty", f)
	}
	if strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("secret %s has more than one line", f)
	}
	return secret, nil
}

// Content returns the content of the file, such as a private key. A file of more than
// most bytes is an error, and no error contains the content.
func (f SecretFile) Content(most int64) ([]byte, error) {
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	raw, err := readFile(path, most, refuse)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return raw, nil
}

// Check returns why the file must not be used, for a file that another program reads.
func (f SecretFile) Check() error {
	if f == "" {
		return fmt.Errorf("secret: %w", fs.ErrNotExist)
	}
	path, err := f.path()
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	if err := refuse(path, info); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	return nil
}

// refuse returns an error for a file that must not contain a secret.
func refuse(path string, info os.FileInfo) error {
	if err := irregular(path, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others (mode %04o): chmod go-w %s", path, info.Mode().Perm(), path)
	}
	return nil
}

// irregular returns an error for anything but a regular file.
func irregular(path string, info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	return nil
}

// ReadRegular returns the content of a regular file that a configuration names and
// that contains no secret, such as a certificate. A pipe, on which a read could block,
// a device, and a file of more than most bytes are errors.
func ReadRegular(path string, most int64) ([]byte, error) { return readFile(path, most, irregular) }

// readFile returns the content of a file that is not refused, of at most most bytes.
func readFile(path string, most int64, refuse func(string, os.FileInfo) error) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // the open of a named pipe must not block
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil {
		err = refuse(path, info)
	}
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%s is larger than %d KiB", path, most>>10)
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// path returns the path of the secret.
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

// Warning returns what is unsafe about the file: it is not used, or it is used
// although all users can read it. It is empty if the file is safe, or cannot be
// examined.
func (f SecretFile) Warning() string {
	path, err := f.path()
	if f == "" || err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	if err := refuse(path, info); err != nil {
		return err.Error()
	}
	if info.Mode().Perm()&0o004 == 0 {
		return ""
	}
	return fmt.Sprintf("secret %s can be read by all users (mode %04o): chmod o-r %s", path, info.Mode().Perm(), path)
}
