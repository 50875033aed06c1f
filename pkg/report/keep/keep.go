// Package keep is what a reporter must not forget over a restart: one small JSON
// file each, in the state directory.
package keep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// maxSize is the size of the largest file that is read, in bytes.
const maxSize = 4 << 20

// A File is where one reporter keeps what it must not forget. One in no directory
// forgets everything at the end of the run.
type File struct{ path string }

var word = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// In returns the file of the named reporter in the state directory dir; dir may
// be empty. The name is a word of a-z, 0-9, dots and dashes.
func In(dir, name string) (File, error) {
	if !word.MatchString(name) {
		return File{}, fmt.Errorf("keep: %q is not a word of at most 63 of a-z, 0-9, dots and dashes", name)
	}
	if dir == "" {
		return File{}, nil
	}
	return File{path: filepath.Join(dir, "reporter-"+name+".json")}, nil
}

// Judge returns the file in the state directory dir, which may be empty, where the
// judge keeps what it must not forget.
func Judge(dir string) File {
	if dir == "" {
		return File{}
	}
	return File{path: filepath.Join(dir, "judge.json")}
}

// Lasting reports whether what is saved survives the run.
func (f File) Lasting() bool { return f.path != "" }

// Load reads what was saved last into v, and leaves v alone if nothing was. A file
// that cannot be understood is set aside as FILE.broken, and is an error.
func (f File) Load(v any) error {
	if f.path == "" {
		return nil
	}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	if len(raw) > maxSize {
		err = errors.New("is larger than 4 MiB")
	} else {
		err = json.Unmarshal(raw, v)
	}
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("keep: %s: %w; set aside as %s.broken", f.path, err, filepath.Base(f.path)), os.Rename(f.path, f.path+".broken"))
}

// Save writes v so that a crash at any moment leaves either the old content or
// the new. It may block for as long as the disk does.
func (f File) Save(v any) error {
	if f.path == "" {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	if err := replace(f.path, raw); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	return nil
}

// replace puts a new file with the given content in the place of the old one.
func replace(path string, raw []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(raw); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
