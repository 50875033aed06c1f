package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// maxSize is the maximum size of a file that is read, in bytes.
const maxSize = 4 << 20

// A File stores, as JSON, the state of a reporter or of the judge across restarts. A File
// without a directory loses everything at the end of the run.
type File struct{ dir, name string }

var word = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// In returns the file of the named reporter in the state directory dir, which may be
// empty. The name consists of a-z, 0-9, dots and dashes.
func In(dir, name string) (File, error) {
	if !word.MatchString(name) {
		return File{}, fmt.Errorf("state: %q is not a word of at most 63 of a-z, 0-9, dots and dashes", name)
	}
	if dir == "" {
		return File{}, nil
	}
	return File{dir: dir, name: "reporter-" + name + ".json"}, nil
}

// Judge returns the file of the judge's state in the state directory dir, which may
// be empty.
func Judge(dir string) File {
	if dir == "" {
		return File{}
	}
	return File{dir: dir, name: "judge.json"}
}

// Persistent reports whether saved data survives the run.
func (f File) Persistent() bool { return f.dir != "" }

// Load reads the last saved value into v, and leaves v unchanged if there is none. A
// file that cannot be parsed is renamed to FILE.broken, and is an error.
func (f File) Load(v any) error {
	if f.dir == "" {
		return nil
	}
	raw, err := Read(f.dir, f.name, maxSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errTooLarge):
	case err != nil:
		return fmt.Errorf("state: %w", err)
	default:
		err = json.Unmarshal(raw, v)
	}
	if err == nil {
		return nil
	}
	path := filepath.Join(f.dir, f.name)
	return errors.Join(fmt.Errorf("state: %s: %w; set aside as %s.broken", path, err, f.name), os.Rename(path, path+".broken"))
}

// Save writes v so that a crash at any moment leaves either the old content or
// the new. It may block for as long as the disk does.
func (f File) Save(v any) error {
	if f.dir == "" {
		return nil
	}
	raw, err := json.Marshal(v)
	if err == nil {
		err = Write(f.dir, f.name, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
