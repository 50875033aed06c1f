package httpclient_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

func TestHidden(t *testing.T) {
	for text, want := range map[string][]string{
		"":                 nil,
		"short":            {"short"},
		"Bearer t":         {"Bearer t"},
		"Bearer abcdefgh1": {"Bearer abcdefgh1", "abcdefgh1"},
		"https://hooks.example.net/services/T1/B2/s3cr3t%2Fword?key=0123456789": {
			"https://hooks.example.net/services/T1/B2/s3cr3t%2Fword?key=0123456789",
			"/services/T1/B2/s3cr3t%2Fword?key=0123456789", "services", "s3cr3t%2Fword", "s3cr3t/word", "0123456789",
		},
	} {
		if diff := cmp.Diff(want, httpclient.Redactions(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
