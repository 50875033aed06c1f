package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// manifest is the file that lists the files of an export.
const manifest = ".nodewatch-status-export"

func (p program) exportCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := app.Command("export", "Write the public pages, feeds and APIs as files for another web server, so that they stay available when the hub is down.")
	file := configFlag(cmd)
	every := cmd.Flag("every", "Interval of the exports; each page shows when the next one is due.").Default("0s").Duration()
	dir := cmd.Arg("dir", "The directory. Replaces the files of an earlier export, and no others.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			if *every < 0 {
				return usage{errors.New("--every must not be negative")}
			}
			h, err := newHub(o.Config, o.store, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			h.page = h.page.Exported(*every)
			s, err := h.site(ctx, o.Now)
			if err != nil {
				return err
			}
			n, err := export(s, *dir)
			if err == nil {
				_, err = fmt.Fprintf(p.out, "%d files in %s\n", n, *dir)
			}
			return err
		})
	}
}

// export writes all documents of a site to a directory, each of which appears once it is
// complete, and removes obsolete files of an earlier export.
func export(s *site, dir string) (n int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	old, err := os.ReadFile(filepath.Join(dir, manifest))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	var written []string
	for _, path := range s.paths() {
		d, err := s.document(path)
		if err != nil {
			return 0, err
		}
		name := path
		if path == "" || strings.HasSuffix(path, "/") {
			name += "index.html"
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return 0, err
		}
		if err := statefile.Write(filepath.Dir(to), filepath.Base(to), d.body, 0o644); err != nil {
			return 0, err
		}
		written = append(written, name)
	}
	slices.Sort(written)
	for name := range strings.Lines(string(old)) {
		name = strings.TrimSpace(name)
		if _, is := slices.BinarySearch(written, name); is || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	return len(written), statefile.Write(dir, manifest, []byte(strings.Join(written, "\n")+"\n"), 0o644)
}
