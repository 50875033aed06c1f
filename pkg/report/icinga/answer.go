package icinga

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// said is Icinga's response about a result: one entry for each object it was for or,
// if none was processed, one for the request as a whole.
type said struct {
	Results []verdict `json:"results"`
	Error   float64   `json:"error"`
	Status  string    `json:"status"`
}

type verdict struct {
	Code   float64 `json:"code"`
	Status string  `json:"status"`
}

// parse parses a response. It returns false if it is not Icinga's.
func parse(body []byte) (said, bool) {
	var fields map[string]json.RawMessage
	var s said
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(body, &s) != nil {
		return said{}, false
	}
	return s, fields["results"] != nil || s.Error != 0
}

// missed reports whether only the named parameter is missing according to Icinga.
func (s said) missed(name string) bool {
	return len(s.Results) == 1 && strings.Contains(s.Results[0].Status, "'"+name+"' is required")
}

// verdict returns the entry for the requested service, the worst if there were
// several. An error counts as an entry for it, and so does an empty list of results,
// which some versions return if the service does not exist.
func (s said) verdict() verdict {
	switch {
	case s.Error != 0:
		return verdict{s.Error, s.Status}
	case len(s.Results) == 0:
		return verdict{http.StatusNotFound, "no such service"}
	}
	return slices.MaxFunc(s.Results, func(a, b verdict) int { return cmp.Compare(a.Code, b.Code) })
}

// failure returns the failure for Icinga's verdict on a service. It ignores the code
// of the whole response, which may be 500 for a service that does not exist, and 200
// for a result that was ignored. A Partial failure concerns only this service.
func (s said) failure(object string, a httpclient.Response) error {
	f := &report.Failure{Kind: report.Partial, Err: fmt.Errorf("%s: %s", object, a.Line())}
	v := s.verdict()
	switch code := int(v.Code); {
	case code >= 200 && code < 300 && !strings.Contains(strings.ToLower(v.Status), "ignored"):
		return nil
	case code == http.StatusConflict:
		f.Kind = report.Stale
	case code >= 500 && !strings.Contains(strings.ToLower(v.Status), "inactive"):
		f.Kind = report.Transient
	}
	return f
}
