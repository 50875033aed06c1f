package cachet_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

const key = "ZmFrZS10b2tlbi0xMjM0"

// fake is a Cachet of version 2 or 3: the permissions, the accepted fields and values
// and, for version 3, the rate limit.
type fake struct {
	*reporttest.Recorder
	version int
	status  map[string]int
	hidden  map[string]bool
	mails   int  // sent to subscribers of version 2
	able    bool // the token has the ability components.manage
	first   bool // returns the first component for every read
	now     time.Time
	times   []time.Time
}

func newFake(t *testing.T, version int) (f *fake, url string) {
	t.Helper()
	f = &fake{version: version, status: map[string]int{"1": 1, "7": 1}, hidden: map[string]bool{}, able: true, now: reporttest.Noon}
	url, f.Recorder = reporttest.Record(t, f.answer)
	return f, url
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	code, answer := f.route(r, body)
	if code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	reporttest.JSON(w, code, answer)
}

func (f *fake) route(r *http.Request, body []byte) (int, any) {
	prefix, authorised := "/api", r.Header.Get("Authorization") == "Bearer "+key
	if f.version == 2 {
		prefix, authorised = "/api/v1", r.Header.Get("X-Cachet-Token") == key
	}
	f.times = slices.DeleteFunc(f.times, func(t time.Time) bool { return f.now.Sub(t) >= time.Minute })
	if f.times = append(f.times, f.now); f.version == 3 && len(f.times) > 300 {
		return 429, map[string]string{"message": "Too Many Attempts."}
	}
	path, right := strings.CutPrefix(r.URL.Path, prefix)
	id, component := strings.CutPrefix(path, "/components/")
	switch _, known := f.status[id]; {
	case !right, !component && path != "/subscribers":
		return 404, map[string]string{"message": "Not Found"}
	case !authorised && (r.Method != http.MethodGet || !component):
		return 401, map[string]string{"message": "Unauthenticated."}
	case !component:
		return 200, map[string]any{"data": []any{map[string]string{"email": "customer@example.org"}}}
	case !known:
		return 404, map[string]string{"message": "Not Found"}
	case r.Method == http.MethodGet && f.first:
		return 200, f.show("1")
	case r.Method == http.MethodPut && r.Header.Get("Content-Type") != "application/json":
		return 422, map[string]string{"message": "no fields"}
	case r.Method == http.MethodPut && f.version == 3 && !f.able:
		return 403, map[string]string{"message": "Invalid ability provided."}
	case r.Method == http.MethodPut:
		if code := f.put(id, body); code != 200 {
			return code, map[string]string{"message": "The selected status is invalid."}
		}
	case r.Method != http.MethodGet:
		return 405, nil
	}
	return 200, f.show(id)
}

// put applies a change like either version: version 2 hides a component without
// enabled, and notifies subscribers unless that is switched off.
func (f *fake) put(id string, body []byte) int {
	var x struct {
		Status  int  `json:"status"`
		Enabled bool `json:"enabled"`
		Silent  bool `json:"silent"`
	}
	refused, most := 400, 4
	if f.version == 3 {
		refused, most = 422, 6
	}
	if err := reporttest.Strict(body, &x); err != nil || x.Status < 1 || x.Status > most {
		return refused
	}
	f.status[id] = x.Status
	if f.version == 2 {
		f.hidden[id] = !x.Enabled
		if !x.Silent {
			f.mails++
		}
	}
	return 200
}

func (f *fake) show(id string) any {
	if f.version == 2 {
		return map[string]any{"data": map[string]any{"id": json.Number(id), "name": "Node 2", "status": fmt.Sprint(f.status[id]),
			"status_name": "x", "enabled": !f.hidden[id]}}
	}
	return map[string]any{"data": map[string]any{"id": id, "type": "components", "attributes": map[string]any{
		"id": json.Number(id), "name": "Node 2", "status": map[string]any{"human": "x", "value": f.status[id]}, "enabled": true,
	}}}
}
