// Package heartbeat sends heartbeats to services that raise an alarm once the beats
// stop: a dead man's switch. A node that is down reports that; a dead node or a dead
// nodewatch sends nothing.
package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// startLimit is the length of a body in bytes until a service reports how much it
// stores; mostLimit is the highest reported value that is used.
const (
	startLimit = 10_000
	mostLimit  = 100_000
)

// Healthchecks may drop pings beyond this rate. Repetitions leave one ping a minute
// for new states.
const (
	pings = 5
	per   = time.Minute
)

// A Reporter sends heartbeats to one service. It implements report.Reporter.
type Reporter struct {
	c      Config
	preset preset
	client *httpclient.Client

	mu        sync.Mutex  // never held during a request
	beaten    time.Time   // time of the report of the latest accepted beat
	said      state       // state in that beat
	sent      []time.Time // times of the latest pings, at most five
	bodyLimit int
}

// New returns a Reporter.
func New(c Config, client *httpclient.Client) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return &Reporter{c: c, preset: presets()[c.Preset], client: client, bodyLimit: startLimit}, nil
}

// Report implements report.Reporter: it sends one beat. The same Report again proves
// nothing and sends no beat, so the beats stop if the judge is stuck. The last Report
// of a run sends neither a beat nor down; a service that accepts a message gets the
// reason why the beats stop.
func (h *Reporter) Report(ctx context.Context, r report.Report) error {
	if r.Final != "" {
		if !h.preset.notes {
			return nil
		}
		_, err := h.send(ctx, r.At, beat{state: logged, text: singleLine(r.Final),
			body: singleLine(r.Node) + ": " + singleLine(r.Final) + "; the beats stop\n"})
		return err
	}
	s, text := h.c.verdict(r)
	if s == silent {
		return nil
	}
	if same, repeated := h.before(r.At, s); same {
		return &report.Failure{Kind: report.Stale, Err: errors.New("heartbeat: no new report since the previous beat; no beat sent")}
	} else if repeated {
		return nil
	}
	if _, err := h.send(ctx, r.At, beat{state: s, text: text, body: evidence(r, text)}); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beaten, h.said = r.At, s
	return nil
}

// before returns whether the report of that time has already sent a beat, and whether
// its beat would only be a repetition that comes too soon.
func (h *Reporter) before(at time.Time, s state) (same, repeated bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.beaten.IsZero() && at.Equal(h.beaten) {
		return true, false
	}
	return false, s == h.said && h.limited() && h.within(at) >= pings-1
}

// Test implements report.Reporter. A service that accepts notes gets one. Others have
// no request without an effect, and get one beat with the state up, marked as a test.
// The next beat has the actual state.
func (h *Reporter) Test(ctx context.Context, r report.Report) (string, error) {
	text := "TEST from nodewatch on " + singleLine(r.Node) + ": please ignore"
	b := beat{state: up, text: text, body: text + "\n", test: true}
	if h.preset.notes {
		b.state = logged
	}
	answer, err := h.send(ctx, r.At, b)
	if err == nil && h.preset.proof != "" {
		answer += " (" + h.preset.proof + ")"
	}
	return answer, err
}

// send sends the beat, and returns the response in one line.
func (h *Reporter) send(ctx context.Context, at time.Time, b beat) (string, error) {
	if wait := h.take(at); wait > 0 {
		return "", &report.Failure{Kind: report.Throttled, After: wait,
			Err: fmt.Errorf("heartbeat: %d pings have been sent within a minute; the service may drop more", pings)}
	}
	q, says, err := h.request(b)
	if err != nil {
		return "", &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("heartbeat: %w", err)}
	}
	if !says {
		return "no beat sent: the service detects down by missing beats", nil
	}
	a, err := h.client.Do(ctx, q)
	h.learn(a)
	if f := report.FailureOf(err); f != nil && a.Code == http.StatusConflict {
		return a.Line(), &report.Failure{Kind: report.Misconfigured, Err: f.Err} // two checks have the same slug
	}
	if err != nil {
		return a.Line(), err
	}
	return a.Line(), h.preset.accept(a)
}

// request returns the request. It reads secrets each time.
func (h *Reporter) request(b beat) (httpclient.Request, bool, error) {
	whole, err := h.c.URLFile.Read()
	if err != nil {
		return httpclient.Request{}, false, err
	}
	token, err := h.c.Token.Read()
	if err != nil {
		return httpclient.Request{}, false, err
	}
	if b.state == down && h.c.DownFile != "" {
		if whole, err = h.c.DownFile.Read(); err != nil {
			return httpclient.Request{}, false, err
		}
		b.state = up // at the address for down
	}
	u, err := h.address(whole, token)
	if err != nil {
		return httpclient.Request{}, false, err
	}
	h.mu.Lock()
	q, says := h.preset.ask(h, u, b)
	h.mu.Unlock()
	if h.c.Preset == "gatus" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	q.Secrets = append(httpclient.Redactions(whole), httpclient.Redactions(token)...)
	return q, says, nil
}

// address returns the address of the beat: as configured, or below the service's.
func (h *Reporter) address(whole, token string) (*url.URL, error) {
	text := whole
	if text == "" {
		text = h.c.URL
	}
	if text == "" {
		text = h.preset.url
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the file does not contain an address that begins with http:// or https://")
	}
	if whole == "" {
		return u.JoinPath(h.preset.path(h.c, token)...), nil
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

// learn stores how much of a body Healthchecks keeps.
func (h *Reporter) learn(a httpclient.Response) {
	n, err := strconv.Atoi(a.Header.Get("Ping-Body-Limit"))
	if err != nil || n < 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodyLimit = min(n, mostLimit)
}

func (h *Reporter) limited() bool { return h.c.Preset == "healthchecks" }

// within returns the number of pings in the previous minute. It ignores a ping in the
// future, which occurs after the clock was set back.
func (h *Reporter) within(at time.Time) int {
	n := 0
	for _, t := range h.sent {
		if age := at.Sub(t); age >= 0 && age < per {
			n++
		}
	}
	return n
}

// take uses one of the minute's pings, or returns how long to wait for the next.
func (h *Reporter) take(at time.Time) (wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.limited() {
		return 0
	}
	if h.within(at) >= pings {
		return max(per-at.Sub(h.sent[len(h.sent)-pings]), time.Second)
	}
	h.sent = append(h.sent, at)
	h.sent = h.sent[max(0, len(h.sent)-pings):]
	return 0
}
