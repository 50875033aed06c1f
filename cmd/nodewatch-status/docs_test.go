package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/status/config"
)

// The configuration in the documentation is valid.
func TestTheDocumentedConfiguration(t *testing.T) {
	raw, err := os.ReadFile("../../docs/status-backend.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml config\n(.*?)```").FindAllSubmatch(raw, -1)
	if len(blocks) == 0 {
		t.Fatal("there is none")
	}
	for _, b := range blocks {
		if _, err := config.Parse("docs", b[1]); err != nil {
			t.Error(err)
		}
	}
}

// Every metric and every token kind in the documentation exists.
func TestTheDocumentedMetrics(t *testing.T) {
	raw, err := os.ReadFile("../../docs/status-backend.md")
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, configured(t, onePage))
	eventually(t, h.operators+"-/ready", "^ready")
	shown := eventually(t, h.operators+"metrics", "nodewatch_status_nodes") // after the nodes have been counted
	for _, name := range regexp.MustCompile(`nodewatch_status_[a-z_]+`).FindAllString(string(raw), -1) {
		if name != "nodewatch_status_refused_requests_total" && name != "nodewatch_status_api_requests_total" &&
			!strings.Contains(shown, "\n"+name) {
			t.Errorf("%s is not in /metrics", name)
		}
	}
}
