package postgres

import (
	"path/filepath"
	"testing"
)

// A Database creates a new, empty database and returns its address, in the form of
// nodewatch-status' configuration.
type Database func(testing.TB) string

// SQLite creates a file in a directory that is removed with the test.
func SQLite(t testing.TB) string { return "sqlite:" + filepath.Join(directory(t), "status.db") }

// Both runs tests on SQLite and on PostgreSQL.
func Both(t *testing.T, tests map[string]func(*testing.T, Database)) {
	run := func(database Database) func(*testing.T) {
		return func(t *testing.T) {
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, database) })
			}
		}
	}
	t.Run("SQLite", run(SQLite))
	t.Run("PostgreSQL", func(t *testing.T) { run(Start(t).Schema)(t) })
}
