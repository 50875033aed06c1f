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

// said is what Icinga says of a result: of each object it was for or, where it
// got that far with none, of all.
type said struct {
	Results []verdict `json:"results"`
	Error   float64   `json:"error"`
	Status  string    `json:"status"`
}

type verdict struct {
	Code   float64 `json:"code"`
	Status string  `json:"status"`
}

// parse reads an answer; false if it is none of Icinga's.
func parse(body []byte) (said, bool) {
	var fields map[string]json.RawMessage
	var s said
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(body, &s) != nil {
		return said{}, false
	}
	return s, fields["results"] != nil || s.Error != 0
}

// missed reports whether Icinga misses only the named parameter.
func (s said) missed(name string) bool {
	return len(s.Results) == 1 && strings.Contains(s.Results[0].Status, "'"+name+"' is required")
}

// verdict is what is said of the one service asked for, the worst if there were
// several: an error is one on it, too, and so is a list of no results, with which
// some versions answer where there is no such service.
func (s said) verdict() verdict {
	switch {
	case s.Error != 0:
		return verdict{s.Error, s.Status}
	case len(s.Results) == 0:
		return verdict{http.StatusNotFound, "no such service"}
	}
	return slices.MaxFunc(s.Results, func(a, b verdict) int { return cmp.Compare(a.Code, b.Code) })
}

// failure is what Icinga's verdict on a service comes to. The code of the answer as
// a whole is not believed: it may be 500 for a service that there is not, and 200
// for a result that was ignored. A Partial failure concerns this service only.
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
