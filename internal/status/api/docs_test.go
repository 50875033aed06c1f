package api

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/status-api.yaml")

// docs/status-api.yaml is the description that the API serves.
func TestDocsOfTheAPIAreFresh(t *testing.T) {
	const file = "../../../docs/status-api.yaml"
	if *update {
		if err := os.WriteFile(file, document, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != string(document) {
		t.Errorf("%s is stale; make docs writes it", file)
	}
}
