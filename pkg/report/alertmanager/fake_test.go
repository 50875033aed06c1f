package alertmanager_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// A posted is an alert as Alertmanager parses it.
type posted struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// A fake is a member that implements Alertmanager's contract. TestContract checks it
// and the real one against the same table.
type fake struct {
	*reporttest.Recorder
	URL string

	mu       sync.Mutex
	user     string // basic authentication; empty: none
	password string
	date     time.Time         // the time it reports; zero: none
	taken    map[string]posted // by alertname and subject, as last received
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{taken: map[string]posted{}}
	f.URL, f.Recorder = reporttest.Record(t, f.answer)
	return f
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	w.Header()["Date"] = nil
	if !f.date.IsZero() {
		w.Header().Set("Date", f.date.UTC().Format(http.TimeFormat))
	}
	if code, text := f.takes(r, body); code != http.StatusOK {
		reporttest.JSON(w, code, text)
	}
}

func (f *fake) takes(r *http.Request, body []byte) (int, string) {
	if user, password, _ := r.BasicAuth(); f.user != "" && (user != f.user || password != f.password) {
		return http.StatusUnauthorized, "unauthorized"
	}
	switch {
	case r.URL.Path != "/api/v2/alerts":
		return http.StatusNotFound, "path " + r.URL.Path + " was not found"
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "method " + r.Method + " is not allowed"
	case r.Header.Get("Content-Type") != "application/json":
		return http.StatusUnsupportedMediaType, "unsupported media type"
	}
	var list []posted
	if err := json.Unmarshal(body, &list); err != nil {
		return http.StatusBadRequest, "parsing alerts body failed: " + err.Error()
	}
	for _, a := range list {
		if _, err := url.ParseRequestURI(a.GeneratorURL); a.GeneratorURL != "" && err != nil {
			return http.StatusUnprocessableEntity, "generatorURL in body must be of type uri"
		}
	}
	code, text := http.StatusOK, ""
	for _, a := range list {
		if wrong := wrong(&a); wrong != "" {
			code, text = http.StatusBadRequest, wrong
			continue
		}
		f.taken[a.Labels["alertname"]+" "+a.Labels["subject"]] = a
	}
	return code, text
}

// wrong returns why the alert is rejected, and fills in missing values.
func wrong(a *posted) string {
	if a.StartsAt.IsZero() {
		a.StartsAt = a.EndsAt
	}
	full := 0
	for k, v := range a.Labels {
		if !labelName.MatchString(k) {
			return "invalid label set: invalid name " + k
		}
		if v != "" {
			full++
		}
	}
	switch {
	case full == 0:
		return "at least one label pair required"
	case a.EndsAt.Before(a.StartsAt):
		return "start time must be before end time"
	}
	return ""
}

// fires returns the names and subjects of the alerts that fire at a time.
func (f *fake) fires(at time.Time) map[string]posted {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := map[string]posted{}
	for k, a := range f.taken {
		if a.EndsAt.After(at) {
			list[k] = a
		}
	}
	return list
}

// last returns the body of the latest request.
func (f *fake) last() string {
	list := f.Requests()
	return string(list[len(list)-1].Body)
}
