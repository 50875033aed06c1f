package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

func (p program) backupCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := app.Command("backup", "Write all data to a new file; the hub may be running. The file contains the hashes of tokens and passwords.")
	file := configFlag(cmd)
	to := cmd.Arg("file", "The file; it must not exist.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.withStore(ctx, *file, func(s *store.Store) error { return s.Backup(ctx, *to) })
	}
}

func (p program) restoreCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := app.Command("restore", "Read a backup into the configured database, which must be empty. Stop the hub first.")
	file := configFlag(cmd)
	from := cmd.Arg("file", "A file written by backup.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.withStore(ctx, *file, func(s *store.Store) error { return store.Restore(ctx, *from, s) })
	}
}

func (p program) migrateCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := app.Command("migrate", "Copy another database into the configured one, which must be empty: from SQLite to PostgreSQL or back. Stop the hub first.")
	file := configFlag(cmd)
	from := cmd.Arg("from", "The source: sqlite:PATH or a PostgreSQL URL.").Required().String()
	return cmd, func(ctx context.Context) int {
		a, err := config.ParseAddress(*from)
		if err != nil {
			return p.fail(exitUsage, fmt.Errorf("migrate: %w", err))
		}
		return p.withStore(ctx, *file, func(to *store.Store) error {
			source, err := store.OpenExisting(ctx, a)
			if err != nil {
				return err
			}
			return errors.Join(store.Copy(ctx, source, to), source.Close())
		})
	}
}
