package componentsync

import (
	"fmt"
	"net/http"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// ComponentFailure converts the failure of a request for one component to a failure of only
// that component, if its code concerns the component: 400, 404, 409, 410 and 422. An
// invalid token remains a failure of the whole delivery.
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

// Shown returns a failure if a page accepted a state but shows another one; nil if it
// shows the state.
func Shown(state, shows string) error {
	if state == shows {
		return nil
	}
	return &report.Failure{Kind: report.Partial, Err: fmt.Errorf("was set to %s, and shows %q", state, shows)}
}

// NotAPage returns the failure for a successful response that does not come from a
// status page: from a proxy, or a login form.
func NotAPage(a httpclient.Response, want string) error {
	return &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("the response is not %s: %s", want, a.Line())}
}
