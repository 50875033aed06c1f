// Package native reports the node to a status backend with the protocol of
// docs/report-protocol.md: the complete state each time, and each transition until the
// backend acknowledges it.
package native

import (
	"strings"
	"time"
	"unicode"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Config is the configuration of the reporter. The caller sets the fields without a
// tag.
type Config struct {
	URL   string                `yaml:"url" doc:"base address of the backend; /v1/report is appended"`
	Token httpclient.SecretFile `yaml:"token_file" doc:"file with this node's bearer token; empty: none, e.g. with a client certificate"`
	ID    string                `yaml:"id" doc:"the node's id at the backend, if it is not SITE/NODE"`

	Every  time.Duration // interval of the reports; the backend uses it to detect late nodes
	Digest string        // hash of the active configuration; empty: not sent
}

// maxID is the maximum length of a node's id, in bytes.
const maxID = 256

// Default returns the default configuration.
func Default() Config { return Config{Every: 30 * time.Second} }

// Check returns a *report.FieldError if the configuration is invalid.
func (c Config) Check() error {
	if err := httpclient.CheckURL("url", c.URL); err != nil {
		return err
	}
	odd := func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) || r > unicode.MaxASCII }
	if len(c.ID) > maxID || strings.ContainsFunc(c.ID, odd) {
		return report.WrongField("id", "is a word of at most %d printable ASCII characters", maxID)
	}
	return nil
}

// address returns the URL for reports.
func (c Config) address() string { return strings.TrimRight(c.URL, "/") + "/v1/report" }
