package componentsync

import (
	"fmt"
	"net/http"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// ComponentFailure turns what came back on a question about one component into a failure of
// that component only, where the code speaks of it and not of everything: 400,
// 404, 409, 410 and 422. A wrong token remains everything's.
func ComponentFailure(a httpclient.Response, err error) error {
	f := report.FailureOf(err)
	if f == nil {
		return nil
	}
	switch a.Code {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity:
		return &report.Failure{Kind: report.Partial, Err: f.Err}
	}
	return f
}

// Shown is the failure of a page that says it has taken a word and shows another;
// nil if it shows the word.
func Shown(state, shows string) error {
	if state == shows {
		return nil
	}
	return &report.Failure{Kind: report.Partial, Err: fmt.Errorf("was set to %s, and shows %q", state, shows)}
}

// NotAPage is the failure of an answer that says all is well and is not that of a
// status page: a proxy, a login form.
func NotAPage(a httpclient.Response, want string) error {
	return &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("not the answer of %s: %s", want, a.Line())}
}
