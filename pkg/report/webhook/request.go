package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// The headers of a signed request. The signature is "sha256=" and, in hexadecimal,
// HMAC-SHA-256 (RFC 2104) with the key over the time header, a dot and the body. A
// receiver compares in constant time and rejects requests older than some minutes.
const (
	timeHeader = "X-Nodewatch-Timestamp" // time of the report, in seconds since 1970
	signHeader = "X-Nodewatch-Signature"
	idHeader   = "X-Nodewatch-Id" // the event's id, unchanged if it is resent
)

// sign returns the signature of a body.
func sign(key, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(timestamp + "."))
	_, _ = mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// request returns the request with the body. It reads secrets each time.
func (w *Reporter) request(m message, body []byte) (httpclient.Request, error) {
	address, err := w.c.URLFile.Read()
	if err != nil {
		return httpclient.Request{}, err
	}
	token, err := w.c.Token.Read()
	if err != nil {
		return httpclient.Request{}, err
	}
	q := httpclient.Request{Method: w.c.Method, Header: http.Header{}, Body: body}
	q.Secrets = append(httpclient.Redactions(address), httpclient.Redactions(token)...)
	if address == "" {
		address = w.c.URL
	}
	if address == "" {
		address = w.preset.url
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return httpclient.Request{}, errors.New("the file does not contain an address that begins with http:// or https://")
	}
	contentType := w.preset.contentType
	if contentType == "" {
		contentType = w.c.ContentType
	}
	q.Header.Set("Content-Type", contentType)
	if token != "" && !w.preset.tokenInPath {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	if w.preset.address != nil {
		w.preset.address(u, token)
	}
	q.URL = u.String()
	if err := w.headers(&q, m); err != nil {
		return httpclient.Request{}, err
	}
	return q, nil
}

// headers sets the configured headers, and signs the request.
func (w *Reporter) headers(q *httpclient.Request, m message) error {
	for name, value := range w.c.Headers {
		q.Header.Set(name, value)
	}
	for name, file := range w.c.HeaderFiles {
		value, err := file.Read()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		q.Header.Set(name, value)
		q.Secrets = append(q.Secrets, httpclient.Redactions(value)...)
	}
	if w.preset.data {
		q.Header.Set(idHeader, m.event.ID)
	}
	key, err := w.c.SignKey.Read()
	if err != nil || key == "" {
		return err
	}
	timestamp := strconv.FormatInt(m.report.At.Unix(), 10)
	q.Header.Set(timeHeader, timestamp)
	q.Header.Set(signHeader, sign(key, timestamp, q.Body))
	return nil
}

// maxRetryAfter caps a wait that a backend requests.
const maxRetryAfter = time.Hour

// withRetryAfter returns the error with the wait in the body of a 429 response:
// Discord's retry_after, in seconds with fractions, or Telegram's
// parameters.retry_after, in seconds.
func withRetryAfter(err error, a httpclient.Response) error {
	f, ok := errors.AsType[*report.Failure](err)
	if !ok || f.Kind != report.Throttled {
		return err
	}
	var body struct {
		After      float64 `json:"retry_after"`
		Parameters struct {
			After float64 `json:"retry_after"`
		} `json:"parameters"`
	}
	if json.Unmarshal(a.Body, &body) != nil {
		return err
	}
	seconds := min(max(body.After, body.Parameters.After, 0), maxRetryAfter.Seconds())
	after := max(f.After, time.Duration(seconds*float64(time.Second)))
	return &report.Failure{Kind: f.Kind, After: after, Err: f.Err}
}
