package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxSecret is the size of the largest file that is taken for a secret, in bytes.
const maxSecret = 16 << 10

// A SecretFile names a file that holds a secret: a token, a key, a URL with one
// in it. A relative path is looked for where systemd puts credentials
// (systemd.exec(5), LoadCredential=). The secret itself never stands in the
// configuration, and is read anew for each use, so that it can be changed while
// nodewatch runs.
type SecretFile string

// Read returns the secret, without white space around it. An empty name is an
// empty secret. No error shows the content.
func (f SecretFile) Read() (string, error) {
	if f == "" {
		return "", nil
	}
	path := string(f)
	if !filepath.IsAbs(path) {
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("secret %s: a relative path is a systemd credential, and systemd has passed none", path)
		}
		path = filepath.Join(dir, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	defer func() { _ = file.Close() }()
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
