package reporttest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// Secret writes the text and a newline to a file that only its owner can read.
func Secret(t testing.TB, text string) httpclient.SecretFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return httpclient.SecretFile(path)
}

// StateFile returns the state file of the reporter with that name. With an empty dir it stores
// nothing.
func StateFile(t testing.TB, dir, name string) statefile.File {
	t.Helper()
	f, err := statefile.In(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Golden compares got with the file of that name in testdata, which update rewrites first.
func Golden(t testing.TB, update bool, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
