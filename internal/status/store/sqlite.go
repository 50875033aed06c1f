package store

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// walLimit is the size in bytes to which SQLite truncates its write-ahead log once all
// of it has been moved to the file.
const walLimit = 16 << 20

// autoCheckpoint is the size of the write-ahead log, in pages of 4 KiB, from which on
// each commit moves it into the file. A hub normally does this earlier, in parallel with
// its commits; this limit is for commands, and for a hub that cannot keep up.
const autoCheckpoint = walLimit / 4096

// dsn returns the data source name of SQLite's file with the options of one kind of
// connection.
func dsn(path, options string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return fmt.Sprintf("%s?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=journal_size_limit(%d)&_pragma=wal_autocheckpoint(%d)&%s", u.String(), walLimit, autoCheckpoint, options)
}

// create creates the file, readable only by its owner.
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
