package prometheus

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A Notification is one message from Alertmanager to its webhook (version 4).
type Notification struct {
	Receiver    string            `json:"receiver"`
	Status      string            `json:"status"` // firing as long as one alert of the group is
	GroupKey    string            `json:"groupKey"`
	GroupLabels map[string]string `json:"groupLabels"`
	Alerts      []Alert           `json:"alerts"`

	At time.Time `json:"-"` // time of its arrival
}

// An Alert is one alert of a Notification.
type Alert struct {
	Status       string            `json:"status"` // firing, resolved
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// A Receiver receives notifications.
type Receiver struct {
	URL  string
	came chan Notification
}

// StartReceiver starts a receiver that ends with the test.
func StartReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{came: make(chan Notification, 1000)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		n := Notification{At: time.Now()}
		if err := json.NewDecoder(q.Body).Decode(&n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case r.came <- n:
		default:
		}
	}))
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

// Next returns the next notification, and fails the test if none arrives within the
// time.
func (r *Receiver) Next(t testing.TB, within time.Duration) Notification {
	t.Helper()
	return r.Until(t, within, func(Notification) bool { return true })
}

// Until returns the next notification that is wanted; it logs and skips others.
func (r *Receiver) Until(t testing.TB, within time.Duration, wanted func(Notification) bool) Notification {
	t.Helper()
	late := time.After(within)
	for {
		select {
		case n := <-r.came:
			if wanted(n) {
				return n
			}
			t.Logf("another notification: %s of %d alerts, %v", n.Status, len(n.Alerts), n.GroupLabels)
		case <-late:
			t.Fatalf("no such notification within %s", within)
		}
	}
}

// Waiting returns the number of notifications that were received but not yet read.
func (r *Receiver) Waiting() int { return len(r.came) }
