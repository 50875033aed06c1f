package alertmanager_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

func down(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(nil)
	s.Close()
	return s.URL
}

func TestEveryMemberReceivesAlerts(t *testing.T) {
	a, b := newFake(t), newFake(t)
	silent := reporttest.Serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	gone := down(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{gone, a.URL, silent, b.URL}})
	at := now()
	err := r.Report(t.Context(), reportOf(at, storm(at)))
	if names(a.fires(at)) != rs || names(b.fires(at)) != rs {
		t.Errorf("a: %q, b: %q", names(a.fires(at)), names(b.fires(at)))
	}
	if kindOf(err) != report.Partial || !strings.Contains(err.Error(), "2 of 4") || !strings.Contains(err.Error(), gone) ||
		!strings.Contains(err.Error(), silent) {
		t.Errorf("%v", err)
	}
}

// A member that hangs uses up its part of the deadline, and the others still get the
// alerts; the next time they come first.
func TestAMemberThatHangs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	asked := make(chan int, 10) // number of deliveries to the other by then
	hangs := reporttest.Serve(t, func(_ http.ResponseWriter, q *http.Request) {
		asked <- len(f.Requests())
		_, _ = io.Copy(io.Discard, q.Body) // only then does the server notice that the client has gone
		<-q.Context().Done()
	})
	r := newReporter(t, alertmanager.Config{URLs: []string{hangs, f.URL}, Deadline: 10 * time.Second})
	at := now()
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := r.Report(ctx, reportOf(at, storm(at))); kindOf(err) != report.Partial {
			t.Errorf("%v", err)
		}
		cancel()
	}
	if first, second := <-asked, <-asked; names(f.fires(at)) != rs || first != 0 || second != 2 {
		t.Errorf("fires %q; the one that hangs was asked after %d and %d of the other's", names(f.fires(at)), first, second)
	}
}

func TestNoMemberTakesIt(t *testing.T) {
	code := func(code int, after string) string {
		return reporttest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(code)
		})
	}
	for _, c := range []struct {
		urls []string
		kind report.FailureKind
	}{
		{[]string{code(401, "")}, report.Misconfigured},
		{[]string{code(409, "")}, report.Misconfigured},
		{[]string{code(401, ""), down(t)}, report.Transient},
		{[]string{code(404, ""), code(429, "7")}, report.Throttled},
		{[]string{code(503, "7"), code(502, "")}, report.Transient},
	} {
		err := newReporter(t, alertmanager.Config{URLs: c.urls}).Report(t.Context(), reportOf(now(), storm(now())))
		f := report.FailureOf(err)
		if f == nil || f.Kind != c.kind || c.kind == report.Throttled && f.After != 7*time.Second {
			t.Errorf("%+v, want %s", f, c.kind)
		}
	}
}

// A member that asks for a pause gets one, while the others get the alerts.
func TestRetryAfterOfAMember(t *testing.T) {
	f, asked := newFake(t), 0
	busy := reporttest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	r := newReporter(t, alertmanager.Config{URLs: []string{busy, f.URL}})
	at := now()
	for i, want := range []int{1, 1, 2} {
		_ = r.Report(t.Context(), reportOf(at.Add(time.Duration(i)*30*time.Second), storm(at)))
		if asked != want {
			t.Errorf("after %d s asked %d times, want %d", i*30, asked, want)
		}
	}
	if len(f.Requests()) != 3 {
		t.Errorf("the other was told %d times", len(f.Requests()))
	}
}

func TestSecretsAreReadAgainAndNotShown(t *testing.T) {
	f := newFake(t)
	f.user, f.password = "node2", "s3cr3t-one"
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("s3cr3t-old\n")
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}, User: "node2", Password: httpclient.SecretFile(file)})
	if err := r.Report(t.Context(), reportOf(now())); kindOf(err) != report.Misconfigured || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("the old password: %v", err)
	}
	write("s3cr3t-one\n")
	deliverTo(t, r, reportOf(now()))
	write("")
	if err := r.Report(t.Context(), reportOf(now())); kindOf(err) != report.Misconfigured {
		t.Errorf("no password: %v", err)
	}
}

func TestTheTokenIsSent(t *testing.T) {
	url, asked := reporttest.Record(t, nil)
	deliverTo(t, newReporter(t, alertmanager.Config{URLs: []string{url}, Token: reporttest.Secret(t, "s3cr3t-token")}), reportOf(now()))
	if got := asked.Requests()[0].Header.Get("Authorization"); got != "Bearer s3cr3t-token" {
		t.Errorf("%q", got)
	}
}

func TestClocksThatDiffer(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}, Every: 30 * time.Second})
	at := now()
	for apart, differ := range map[time.Duration]bool{-61 * time.Second: true, -59 * time.Second: false, 0: false, 59 * time.Second: false,
		61 * time.Second: true} {
		f.date = at.Add(apart)
		err := r.Report(t.Context(), reportOf(at, storm(at)))
		if _, fires := f.fires(at)[rs]; !fires || (kindOf(err) == report.Partial && strings.Contains(err.Error(), "clock")) != differ {
			t.Errorf("%s apart: %v; fires %q", apart, err, names(f.fires(at)))
		}
		if _, err := r.Test(t.Context(), reportOf(at)); (err != nil) != differ {
			t.Errorf("%s apart: the test says %v", apart, err)
		}
	}
}
