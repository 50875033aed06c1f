// Package native reports the node to a status backend by the protocol of
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

// Config says where the backend is. The fields without a tag are the caller's to
// fill in.
type Config struct {
	URL   string                `yaml:"url" doc:"base address of the backend; /v1/report is appended"`
	Token httpclient.SecretFile `yaml:"token_file" doc:"file with this node's bearer token; empty: none, e.g. with a client certificate"`
	ID    string                `yaml:"id" doc:"the node's id at the backend, if it is not SITE/NODE"`

	Every  time.Duration // how often the state is sent; the backend uses it to detect late nodes
	Digest string        // of the active configuration; empty: not sent
}

// maxID is the length of the longest id of a node, in bytes.
const maxID = 256

// Default is the configuration to start from.
func Default() Config { return Config{Every: 30 * time.Second} }

// Check says what is wrong with the configuration: a *report.FieldError.
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

// address is where reports go.
func (c Config) address() string { return strings.TrimRight(c.URL, "/") + "/v1/report" }
