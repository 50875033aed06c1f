package pagerduty_test

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

const key = "0123456789abcdef0123456789abcdef"

// fake is the Events API, version 2, as documented.
type fake struct {
	*reporttest.Recorder
	alerts map[string]string // open alerts: severity by dedup key
	pages  int               // number of alerts that were not open before
	fail   []int             // codes of the next responses, sent before the request is checked; 0: check it
	garble map[string]bool   // dedup keys that it rejects with 400
}

func newFake(t *testing.T) (f *fake, url string) {
	t.Helper()
	f = &fake{alerts: map[string]string{}}
	url, f.Recorder = reporttest.Record(t, f.answer)
	return f, url
}

// accepted drains the requests and returns the events that were accepted, without the routing key.
func (f *fake) accepted() string { return strings.ReplaceAll(f.Accepted(), key, "") }

type taken struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"`
	DedupKey   string `json:"dedup_key"`
	Payload    *struct {
		Summary   string          `json:"summary"`
		Source    string          `json:"source"`
		Severity  string          `json:"severity"`
		Timestamp string          `json:"timestamp"`
		Component string          `json:"component"`
		Group     string          `json:"group"`
		Class     string          `json:"class"`
		Details   json.RawMessage `json:"custom_details"`
	} `json:"payload"`
	Client    string              `json:"client"`
	ClientURL string              `json:"client_url"`
	Links     []map[string]string `json:"links"`
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch code, reason, x := f.judge(r, body); code {
	case 202:
		reporttest.JSON(w, code, map[string]string{"status": "success", "message": "Event processed", "dedup_key": x.DedupKey})
	case 400:
		reporttest.JSON(w, code, map[string]any{"status": "invalid event", "message": "Event object is invalid",
			"errors": []string{reason}})
	default:
		w.WriteHeader(code)
	}
}

func (f *fake) judge(r *http.Request, body []byte) (code int, reason string, x taken) {
	if len(f.fail) > 0 {
		next := f.fail[0]
		if f.fail = f.fail[1:]; next != 0 {
			return next, "", x
		}
	}
	if r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue" {
		return 404, "", x
	}
	if len(body) > 512<<10 {
		return 413, "", x
	}
	if err := reporttest.Strict(body, &x); err != nil {
		return 400, err.Error(), x
	}
	if reason := f.wrong(x); reason != "" {
		return 400, reason, x
	}
	switch _, known := f.alerts[x.DedupKey]; {
	case x.Action == "resolve":
		delete(f.alerts, x.DedupKey)
	default:
		if !known {
			f.pages++
		}
		f.alerts[x.DedupKey] = x.Payload.Severity
	}
	return 202, "", x
}

// wrong returns why the API rejects an event.
func (f *fake) wrong(x taken) string {
	switch {
	case x.RoutingKey != key:
		return "Invalid routing key"
	case !slices.Contains([]string{"trigger", "acknowledge", "resolve"}, x.Action):
		return "'event_action' is invalid"
	case x.Action != "trigger" && x.DedupKey == "":
		return "'dedup_key' is missing"
	case len(x.DedupKey) > 255:
		return "Length of 'dedup_key' is incorrect (should be between 0 and 255 characters)"
	case f.garble[x.DedupKey]:
		return "'payload' is odd"
	case x.Action != "trigger":
		return ""
	case x.Payload == nil:
		return "'payload' is missing"
	case x.Payload.Summary == "" || len([]rune(x.Payload.Summary)) > 1024:
		return "'payload.summary' is missing or too long"
	case x.Payload.Source == "":
		return "'payload.source' is missing"
	case !slices.Contains([]string{"critical", "error", "warning", "info"}, x.Payload.Severity):
		return "'payload.severity' is invalid"
	}
	if _, err := time.Parse(time.RFC3339, x.Payload.Timestamp); err != nil {
		return fmt.Sprint("'payload.timestamp' is invalid: ", err)
	}
	return ""
}

func jsonOf(text string, v any) error { return json.Unmarshal([]byte(text), v) }

// The fake rejects what the API would reject, so that an accepted event is
// meaningful.
func TestTheFakeRefuses(t *testing.T) {
	f, _ := newFake(t)
	good := `{"routing_key":"` + key +
		`","event_action":"trigger","dedup_key":"k","payload":{"summary":"s","source":"node2","severity":"info","timestamp":"2026-11-22T12:00:00.000Z"}}`
	for change, want := range map[string]string{
		`trigger>page`: "'event_action' is invalid", `"trigger","dedup_key":"k">"resolve","dedup_key":""`: "'dedup_key' is missing",
		`"k">"` + strings.Repeat("k", 256) + `"`: "Length of 'dedup_key'", `"summary":"s">"summary":""`: "'payload.summary'",
		`"summary":"s">"summary":"` + strings.Repeat("s", 1025) + `"`: "'payload.summary'",
		`"source":"node2">"source":""`:                                "'payload.source'",
		`"info">"low"`:                                                "'payload.severity'", `2026-11-22T>22.11.`: "'payload.timestamp'",
		key + `>x`: "Invalid routing key",
	} {
		from, to, _ := strings.Cut(change, ">")
		var x taken
		if err := jsonOf(strings.Replace(good, from, to, 1), &x); err != nil {
			t.Fatal(err)
		}
		if got := f.wrong(x); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", change, got, want)
		}
	}
	var x taken
	if err := jsonOf(good, &x); err != nil || f.wrong(x) != "" {
		t.Errorf("%v, %s", err, f.wrong(x))
	}
}
