package store

import (
	"io/fs"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Both databases have the same tables with the same columns, and Copy copies all of
// them.
func TestBothDatabasesHaveTheSameTables(t *testing.T) {
	table := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`)
	column := regexp.MustCompile(`(?m)^\t([a-z]\w*) `)
	read := func(dir string) map[string][]string {
		tables := map[string][]string{}
		files, err := fs.Glob(migrations, "migrations/"+dir+"/*.sql")
		if err != nil || len(files) == 0 {
			t.Fatalf("no migrations: %v", err)
		}
		for _, file := range files {
			raw, err := fs.ReadFile(migrations, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range table.FindAllSubmatch(raw, -1) {
				for _, c := range column.FindAllSubmatch(m[2], -1) {
					tables[string(m[1])] = append(tables[string(m[1])], string(c[1]))
				}
			}
		}
		return tables
	}
	sqlite := read("sqlite")
	if diff := cmp.Diff(sqlite, read("postgres")); diff != "" {
		t.Errorf("(-SQLite +PostgreSQL)\n%s", diff)
	}
	known := tables()
	slices.Sort(known)
	var there []string
	for name := range sqlite {
		there = append(there, name)
	}
	slices.Sort(there)
	if diff := cmp.Diff(there, known); diff != "" {
		t.Errorf("(-migrations +copied)\n%s", diff)
	}
}
