package store

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// walLimit is the size that SQLite cuts its write-ahead log down to after a
// checkpoint, in bytes.
const walLimit = 64 << 20

// dsn is the data source name of SQLite's file with the options of one kind of
// connection.
func dsn(path, options string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return fmt.Sprintf("%s?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=journal_size_limit(%d)&%s", u.String(), walLimit, options)
}

// create makes the file, readable by its owner only.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return f.Close()
}
