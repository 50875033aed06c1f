package icinga_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

const (
	apiUser  = "nodewatch"
	password = "geheim-42"
)

// fake is the action process-check-result of Icinga 2 as in its later versions; the
// earlier ones are tested with the real program.
type fake struct {
	*reporttest.Recorder
	services map[string]*service
	answers  map[string]int // by service: the response to any result
	status   string         // code of those responses
}

type service struct {
	exit       int
	output     string
	start, ttl float64
	active     bool // accepts no passive results
}

func newFake(t *testing.T) (f *fake, url string) {
	t.Helper()
	f = &fake{services: map[string]*service{}, answers: map[string]int{}}
	for _, name := range []string{"node2!nodewatch", "node2!storage"} {
		f.services[name] = &service{exit: -1}
	}
	url, f.Recorder = reporttest.Record(t, f.answer)
	return f, url
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	code, status, object := f.judge(r, body)
	answer := map[string]any{"error": code, "status": status}
	if object {
		answer = map[string]any{"results": []any{map[string]any{"code": code, "status": status}}}
	}
	reporttest.JSON(w, code, answer)
}

// judge returns the code and its reason. object reports that they concern the
// service.
func (f *fake) judge(r *http.Request, body []byte) (code int, status string, object bool) {
	name, word, _ := r.BasicAuth()
	if name != apiUser || word != password {
		return 401, "Unauthorized. Please check your user credentials.", false
	}
	if r.Method != http.MethodPost || r.URL.Path != "/v1/actions/process-check-result" {
		return 404, "The requested path does not exist.", false
	}
	if r.Header.Get("Accept") != "application/json" {
		return 400, "Accept header is missing or not set to 'application/json'.", false
	}
	var x struct {
		Type    string   `json:"type"`
		Service string   `json:"service"`
		Exit    *int     `json:"exit_status"`
		Output  *string  `json:"plugin_output"`
		Perf    []string `json:"performance_data"`
		Source  string   `json:"check_source"`
		Start   float64  `json:"execution_start"`
		End     float64  `json:"execution_end"`
		TTL     float64  `json:"ttl"`
	}
	if err := reporttest.Strict(body, &x); err != nil {
		return 400, "Invalid request body: " + err.Error(), false
	}
	s, known := f.services[x.Service]
	switch {
	case x.Type != "Service" || !known:
		return 404, "No objects found.", false
	case f.answers[x.Service] != 0:
		return f.answers[x.Service], f.status, true
	case s.active:
		return 403, "Passive checks are disabled for object '" + x.Service + "'.", true
	case x.Exit == nil:
		return 400, "Parameter 'exit_status' is required.", true
	case x.Output == nil:
		return 400, "Parameter 'plugin_output' is required.", true
	case x.Start < s.start:
		return 409, fmt.Sprintf("Newer check result already present for '%s'.", x.Service), true
	}
	*s = service{exit: *x.Exit, output: *x.Output, start: x.Start, ttl: x.TTL}
	return 200, "Successfully processed check result for object '" + x.Service + "'.", true
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
