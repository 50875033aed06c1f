package statuspage_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

const (
	key    = "9f2c1d7ea4b84d0c8f6b5a3e2d1c0b9a"
	pageID = "kctbh9vrtdwd"
)

// fake is a page of Statuspage as its API documentation describes it: the
// permissions, the accepted fields and values, the rate limit. It rejects unknown
// fields.
type fake struct {
	*reporttest.Recorder
	mu         sync.Mutex // a lost answer does not order the handler before the test
	now        time.Time
	components map[string]string
	incidents  []*held
	times      []time.Time
	limit      int    // maximum number of requests in any 60 s
	limitCode  int    // 420 or 429
	lose       string // method whose next request is accepted but whose response is lost
	mails      int    // messages sent to subscribers
}

// held is an incident as the page stores it.
type held struct {
	ID         string              `json:"id"`
	Name       string              `json:"name"`
	Status     string              `json:"status"`
	Impact     string              `json:"impact_override"`
	Metadata   any                 `json:"metadata"`
	Components []map[string]string `json:"components"`
	Bodies     []string            `json:"bodies"`
}

func newFake(t *testing.T, components map[string]string) (f *fake, url string) {
	t.Helper()
	f = &fake{components: components, limit: 60, limitCode: 429, now: reporttest.Noon}
	url, f.Recorder = reporttest.Record(t, f.answer)
	return f, url + "/v1"
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	f.times = slices.DeleteFunc(f.times, func(t time.Time) bool { return f.now.Sub(t) >= time.Minute })
	path, right := strings.CutPrefix(r.URL.Path, "/v1/pages/"+pageID)
	switch {
	case len(f.times) >= f.limit:
		reporttest.JSON(w, f.limitCode, map[string]string{"error": "Too many requests"})
		return
	case r.Header.Get("Authorization") != "OAuth "+key:
		reporttest.JSON(w, 401, map[string]string{"error": "Could not authenticate"})
		return
	case len(body) > 0 && r.Header.Get("Content-Type") != "application/json":
		reporttest.JSON(w, 400, map[string]string{"error": "the content type does not match"})
		return
	case !right:
		reporttest.JSON(w, 404, map[string]string{"error": "page not found"})
		return
	}
	f.times = append(f.times, f.now)
	if f.lose == r.Method {
		f.lose = ""
		f.route(httptest.NewRecorder(), r, path, body)
		c, _, _ := http.NewResponseController(w).Hijack()
		_ = c.Close()
		return
	}
	f.route(w, r, path, body)
}

func (f *fake) route(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	if id, ok := strings.CutPrefix(path, "/components/"); ok {
		f.component(w, r.Method, id, body)
		return
	}
	if path == "/incidents/unresolved" && r.Method == http.MethodGet {
		f.unresolved(w, r)
		return
	}
	id, _ := strings.CutPrefix(path, "/incidents")
	if r.Method == http.MethodPost && id == "" || r.Method == http.MethodPatch && id != "" {
		f.incident(w, strings.TrimPrefix(id, "/"), body)
		return
	}
	reporttest.JSON(w, 404, map[string]string{"error": "no such place"})
}

func (f *fake) component(w http.ResponseWriter, method, id string, body []byte) {
	if _, ok := f.components[id]; !ok {
		reporttest.JSON(w, 404, map[string]string{"error": "component not found"})
		return
	}
	if method == http.MethodPatch {
		var x struct {
			Component map[string]string `json:"component"`
		}
		words := []string{"operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage", ""}
		if json.Unmarshal(body, &x) != nil || len(x.Component) != 1 || !slices.Contains(words, x.Component["status"]) {
			reporttest.JSON(w, 422, map[string][]string{"error": {"status is invalid"}})
			return
		}
		f.components[id] = x.Component["status"]
	}
	reporttest.JSON(w, 200, map[string]any{"id": id, "page_id": pageID, "name": "Node 2", "status": f.components[id], "group": false})
}

func (f *fake) unresolved(w http.ResponseWriter, r *http.Request) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	per, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, per = max(page, 1), min(max(per, 1), 100)
	list := []*held{}
	for _, x := range f.incidents {
		if x.Status != "resolved" {
			list = append(list, x)
		}
	}
	reporttest.JSON(w, 200, list[min(len(list), (page-1)*per):min(len(list), page*per)])
}

// said has the fields that a request for an incident may contain.
type said struct {
	Name     *string                   `json:"name"`
	Status   *string                   `json:"status"`
	Impact   *string                   `json:"impact_override"`
	Body     string                    `json:"body"`
	IDs      []string                  `json:"component_ids"`
	Notify   *bool                     `json:"deliver_notifications"`
	Metadata map[string]map[string]any `json:"metadata"`
}

func (f *fake) incident(w http.ResponseWriter, id string, body []byte) {
	var x struct {
		Incident said `json:"incident"`
	}
	if err := reporttest.Strict(body, &x); err != nil {
		reporttest.JSON(w, 400, map[string]string{"error": err.Error()})
		return
	}
	if reason := f.wrong(x.Incident, id); reason != "" {
		reporttest.JSON(w, 422, map[string][]string{"error": {reason}})
		return
	}
	in := &held{ID: fmt.Sprintf("incident%d", len(f.incidents)+1)}
	if id == "" {
		f.incidents = append(f.incidents, in)
	} else {
		n := slices.IndexFunc(f.incidents, func(h *held) bool { return h.ID == id })
		if n < 0 {
			reporttest.JSON(w, 404, map[string]string{"error": "incident not found"})
			return
		}
		in = f.incidents[n]
	}
	in.take(x.Incident)
	if x.Incident.Notify == nil || *x.Incident.Notify {
		f.mails++
	}
	reporttest.JSON(w, map[bool]int{true: 201, false: 200}[id == ""], in)
}

// wrong returns why the API would reject the request; id is empty for a new incident.
func (f *fake) wrong(x said, id string) string {
	one := func(word *string, of ...string) bool { return word == nil || slices.Contains(of, *word) }
	switch {
	case id == "" && (x.Name == nil || *x.Name == ""):
		return "name is required"
	case x.Name != nil && len([]rune(*x.Name)) > 255:
		return "name is too long"
	case len([]rune(x.Body)) > 25000:
		return "body is too long"
	case !one(x.Status, "investigating", "identified", "monitoring", "resolved"):
		return "status is invalid"
	case !one(x.Impact, "none", "maintenance", "minor", "major", "critical"):
		return "impact_override is invalid"
	}
	for _, c := range x.IDs {
		if _, ok := f.components[c]; !ok {
			return "component_ids are invalid"
		}
	}
	return ""
}

func (h *held) take(x said) {
	for to, from := range map[*string]*string{&h.Name: x.Name, &h.Status: x.Status, &h.Impact: x.Impact} {
		if from != nil {
			*to = *from
		}
	}
	if x.Metadata != nil {
		h.Metadata = x.Metadata
	}
	if x.IDs != nil {
		h.Components = nil
		for _, c := range slices.Sorted(slices.Values(x.IDs)) {
			h.Components = append(h.Components, map[string]string{"id": c})
		}
	}
	h.Bodies = append(h.Bodies, x.Body)
}
