package heartbeat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A beat is the content of one heartbeat.
type beat struct {
	state state
	text  string // one line
	body  string // everything that an operator may want to read
	test  bool
}

// mostText is the maximum length of a beat's line, in bytes.
const mostText = 250

// A preset describes one kind of service.
type preset struct {
	url string // its default address; empty if there is none
	// path returns the path of the heartbeat below the service's address; not used if
	// the full address is configured.
	path func(c Config, token string) []string
	// ask builds the request to the heartbeat's address. It returns false if the
	// service has no request for this state, which it then infers from silence.
	ask func(h *Reporter, u *url.URL, b beat) (httpclient.Request, bool)
	// accept rejects a 2xx response that is not a success.
	accept func(httpclient.Response) error
	notes  bool   // it accepts notes that are not beats
	proof  string // what a success does not prove; empty if it proves everything
}

// presets are all presets, by name.
func presets() map[string]preset {
	return map[string]preset{
		"healthchecks": {url: "https://hc-ping.com", path: healthPath, ask: askHealthchecks, accept: healthAccepts, notes: true},
		"uptimekuma":   {path: below("api", "push"), ask: askKuma, accept: kumaAccepts},
		"gatus":        {path: gatusPath, ask: askGatus, accept: gatusAccepts},
		"betterstack":  {url: "https://uptime.betterstack.com", path: below("api", "v1", "heartbeat"), ask: askBetter, accept: any2xx},
		"oneuptime": {
			url: "https://oneuptime.com", path: below("heartbeat"), ask: askOneUptime, accept: any2xx,
			proof: "unverified: OneUptime gives the same answer to a wrong key; check the monitor",
		},
		"kener": {path: kenerPath, ask: askKener, accept: kenerAccepts},
		"plain": {path: below(), ask: askPlain, accept: any2xx},
	}
}

// below returns a function that builds a path from fixed parts and the token.
func below(parts ...string) func(Config, string) []string {
	return func(_ Config, token string) []string {
		if token == "" {
			return parts
		}
		return append(parts[:len(parts):len(parts)], url.PathEscape(token))
	}
}

func healthPath(c Config, token string) []string {
	if c.Slug == "" {
		return []string{url.PathEscape(token)}
	}
	return []string{url.PathEscape(token), c.Slug}
}

// askHealthchecks pings. The service stores the body as evidence, up to the length
// that its previous response allowed.
func askHealthchecks(h *Reporter, u *url.URL, b beat) (httpclient.Request, bool) {
	switch b.state {
	case down:
		u = u.JoinPath("fail")
	case logged:
		u = u.JoinPath("log")
	}
	if h.c.Create {
		u.RawQuery = "create=1"
	}
	return post(u, "text/plain; charset=utf-8", []byte(cut(b.body, h.bodyLimit))), true
}

// healthAccepts detects the hosted service's two kinds of rejection with code 200.
func healthAccepts(a httpclient.Response) error {
	body := strings.TrimSpace(string(a.Body))
	switch {
	case strings.EqualFold(body, "OK (rate limited)"):
		return &report.Failure{Kind: report.Throttled, After: time.Minute, Err: fmt.Errorf("heartbeat: not taken: %s", a.Line())}
	case body == "OK", a.Code == http.StatusCreated && body == "Created":
		return nil
	}
	return refused(a, "OK")
}

// askKuma pushes. Every state other than up counts as down.
func askKuma(_ *Reporter, u *url.URL, b beat) (httpclient.Request, bool) {
	u.RawQuery = url.Values{"status": {string(b.state)}, "msg": {cut(b.text, mostText)}}.Encode()
	return get(u), true
}

func kumaAccepts(a httpclient.Response) error {
	var body struct {
		OK bool `json:"ok"`
	}
	if json.Unmarshal(a.Body, &body) != nil || !body.OK {
		return refused(a, `"ok": true`)
	}
	return nil
}

// gatusPath returns the path of the external endpoint, whose key Gatus builds from
// group and name.
func gatusPath(c Config, _ string) []string {
	key := func(name string) string {
		name = strings.ToLower(strings.TrimSpace(name))
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("/_., #+&", r) {
				return '-'
			}
			return r
		}, name)
	}
	return []string{"api", "v1", "endpoints", url.PathEscape(key(c.Group) + "_" + key(c.Endpoint)), "external"}
}

// askGatus pushes a result, in query parameters only. Gatus keeps no text of a
// success.
func askGatus(_ *Reporter, u *url.URL, b beat) (httpclient.Request, bool) {
	q := url.Values{"success": {strconv.FormatBool(b.state == up)}}
	if b.state == down {
		q.Set("error", cut(b.text, mostText))
	}
	u.RawQuery = q.Encode()
	return httpclient.Request{Method: http.MethodPost, URL: u.String(), Header: http.Header{}}, true
}

// gatusAccepts requires the empty body of a result that was stored.
func gatusAccepts(a httpclient.Response) error {
	if len(a.Body) > 0 {
		return refused(a, "an empty one")
	}
	return nil
}

func askBetter(_ *Reporter, u *url.URL, b beat) (httpclient.Request, bool) {
	if b.state == down {
		u = u.JoinPath("fail")
	}
	return post(u, "text/plain; charset=utf-8", []byte(cut(b.body, startLimit))), true
}

// askOneUptime sends a body that the monitor's criteria are matched against. By
// default the word "error" in it means down, so a body for up contains nothing about
// the node: a summary or a name could contain the word.
func askOneUptime(_ *Reporter, u *url.URL, b beat) (httpclient.Request, bool) {
	body := []byte(`{"status":"up"}`)
	switch {
	case b.test:
		body = []byte(`{"status":"up","test":true}`)
	case b.state == down:
		body, _ = json.Marshal(map[string]string{"status": "error", "error": cut(b.text, mostText)})
	}
	return post(u, "application/json", body), true
}

func kenerPath(c Config, token string) []string {
	return []string{"ext", "heartbeat", url.PathEscape(c.Tag), url.PathEscape(token)}
}

// askKener beats; the service has no request for down and infers it from silence.
func askKener(_ *Reporter, u *url.URL, b beat) (httpclient.Request, bool) {
	return get(u), b.state == up
}

func kenerAccepts(a httpclient.Response) error {
	var body map[string]any
	if json.Unmarshal(a.Body, &body) != nil || body["error"] != nil || body["status"] == nil {
		return refused(a, "a status")
	}
	return nil
}

// askPlain requests the address; down has a different address.
func askPlain(_ *Reporter, u *url.URL, b beat) (httpclient.Request, bool) {
	return get(u), b.state == up
}

// any2xx accepts every response with a code of success.
func any2xx(httpclient.Response) error { return nil }

// refused returns the failure for a response that is not a success despite its code.
func refused(a httpclient.Response, want string) error {
	return &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("heartbeat: not accepted: the response is not %s: %s",
		want, a.Line())}
}

func get(u *url.URL) httpclient.Request {
	return httpclient.Request{Method: http.MethodGet, URL: u.String(), Header: http.Header{}}
}

func post(u *url.URL, contentType string, body []byte) httpclient.Request {
	return httpclient.Request{Method: http.MethodPost, URL: u.String(), Header: http.Header{"Content-Type": {contentType}}, Body: body}
}
