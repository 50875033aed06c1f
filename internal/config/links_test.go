package config

import (
	"strings"
	"testing"
)

// The page links only to web URLs, and shows no password.
func TestLinks(t *testing.T) {
	read := func(address string) error {
		_, err := Read("n.yml", strings.NewReader("links:\n  grafana: "+address+"\n"))
		return err
	}
	for _, address := range []string{"''", "http://192.0.2.7:3000/d/x", "https://grafana.example.net/d/x?var-node=node7#top"} {
		if err := read(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, want := range map[string]string{
		"javascript:alert(1)": "http:// or https://", "data:text/html,x": "http:// or https://",
		"//grafana.example.net/": "http:// or https://", "grafana.example.net": "http:// or https://",
		"ftp://grafana.example.net": "http:// or https://", "https:///d/x": "the host is missing",
		"https://oncall:storm@grafana.example.net/": "must not contain a user or a password", "'http://[::1'": "not a URL",
	} {
		err := read(address)
		if err == nil || !strings.Contains(err.Error(), "n.yml:2: links.grafana: ") || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "storm") {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}
