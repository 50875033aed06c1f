package alertmanager_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

func decoded(t *testing.T, body string) []posted {
	t.Helper()
	var list []posted
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// many returns a report with n findings, of which those of the rule nic-bad are
// rejected.
func many(at time.Time, n int) []report.Finding {
	list := []report.Finding{}
	for i := range n {
		f := saturated(at)
		f.Subject = fmt.Sprintf("eth%03d", i)
		list = append(list, f)
	}
	list[n/2].Rule = "nic-bad"
	return list
}

// The valid alerts of a list count, whatever is wrong with another one, even if the
// server rejects the whole list; the bad one is named once, and tried again after
// five minutes.
func TestOneAlertIsRefused(t *testing.T) {
	for _, code := range []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge} {
		inner := newFake(t)
		requests := 0
		url := reporttest.Serve(t, func(w http.ResponseWriter, q *http.Request) {
			requests++
			body, _ := io.ReadAll(q.Body)
			if bytes.Contains(body, []byte("NodewatchNicBad")) {
				http.Error(w, `"bad one"`, code)
				return
			}
			q.Body = io.NopCloser(bytes.NewReader(body))
			inner.ServeHTTP(w, q)
		})
		r := newReporter(t, alertmanager.Config{URLs: []string{url}})
		at := now()
		err := r.Report(t.Context(), reportOf(at, many(at, 150)...))
		if got := len(inner.fires(at)); got != 149 {
			t.Errorf("%d: %d fire, want 149", code, got)
		}
		if kindOf(err) != report.Partial || strings.Count(err.Error(), "alert ") != 1 ||
			!strings.Contains(err.Error(), "NodewatchNicBad eth075: "+fmt.Sprint(code)) {
			t.Errorf("%d: %v", code, err)
		}
		if requests > 25 {
			t.Errorf("%d: it took %d requests to find it", code, requests)
		}
		requests = 0
		deliverTo(t, r, reportOf(at.Add(30*time.Second), many(at, 150)...))
		if requests != 3 {
			t.Errorf("%d: %d requests for 149 alerts, with the bad one lost one", code, requests)
		}
		deliverTo(t, r, reportOf(at.Add(6*time.Minute), many(at, 150)...))
		if requests <= 6 {
			t.Errorf("%d: the bad one is not tried again", code)
		}
	}
}

// If a server rejects everything, the alerts are not at fault: they are sent again
// the next time.
func TestEverythingIsRefused(t *testing.T) {
	inner, wrong := newFake(t), true
	url := reporttest.Serve(t, func(w http.ResponseWriter, q *http.Request) {
		if wrong {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		inner.ServeHTTP(w, q)
	})
	r := newReporter(t, alertmanager.Config{URLs: []string{url}})
	at := now()
	if err := r.Report(t.Context(), reportOf(at, many(at, 3)...)); kindOf(err) != report.Misconfigured {
		t.Errorf("%v", err)
	}
	wrong = false
	deliverTo(t, r, reportOf(at.Add(time.Second), many(at, 3)...))
	if got := len(inner.fires(at)); got != 3 {
		t.Errorf("%d fire", got)
	}
}
