package icinga

import (
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A parsed response has a verdict, and only a code of success without the word
// "ignored" is a success.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"results":[{"code":200,"status":"Successfully processed check result for object 'node2!storage'."}]}`,
		`{"results":[]}`, `{"error":404,"status":"No objects found."}`, `{"results":null}`, `{"error":1e300}`,
		`{"results":[{"code":200,"status":"ignored"}]}`, `[]`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, ok := parse(body)
		if !ok {
			return
		}
		err := s.failure("node2!storage", httpclient.Response{Code: 200, Body: body})
		v := s.verdict()
		if err == nil && (v.Code < 200 || v.Code >= 300 || s.Error != 0) {
			t.Errorf("%+v is a success", v)
		}
		if err != nil && report.FailureOf(err).Kind == "" {
			t.Errorf("%+v: no kind", v)
		}
	})
}
