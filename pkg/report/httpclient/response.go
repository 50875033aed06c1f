package httpclient

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Response is the response to a Request. Its body is limited as the request allows.
type Response struct {
	Code   int
	Header http.Header
	Body   []byte

	secrets []string
}

// maxRetryAfter caps Retry-After.
const maxRetryAfter = time.Hour

// shownOf is how much of a response is shown, in characters.
const shownOf = 200

// Line returns the response in one line that can be shown: the code and the start of
// the body, without control characters and secrets.
func (a Response) Line() string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(mask(string(a.Body), a.secrets), "?"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > shownOf {
		text = string(runes[:shownOf]) + "..."
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", a.Code, http.StatusText(a.Code), text))
}

// failure returns the Failure for the response's code; nil for 2xx.
func (a Response) failure(where string) error {
	if a.Code >= 200 && a.Code < 300 {
		return nil
	}
	f := &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("%s: %s", where, a.Line())}
	switch {
	case a.Code == http.StatusTooManyRequests, a.Code == 420:
		f.Kind, f.After = report.Throttled, a.after()
	case a.Code == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
		f.Kind, f.After = report.Throttled, a.after()
	case a.Code >= 500, a.Code == http.StatusRequestTimeout:
		f.Kind = report.Transient
	case a.Code == http.StatusConflict:
		f.Kind = report.Stale
	case a.Code >= 300 && a.Code < 400:
		f.Err = fmt.Errorf("%s: %d %s: redirects are not followed; configure the target address", where, a.Code, http.StatusText(a.Code))
	}
	return f
}

// after returns the wait that the backend requests (RFC 9110, 10.2.3): at most an
// hour; 0 if there is none. A date is relative to the backend's own clock.
func (a Response) after() time.Duration {
	value := strings.TrimSpace(a.Header.Get("Retry-After"))
	var d time.Duration
	if n, err := strconv.ParseFloat(value, 64); err == nil && n > 0 {
		d = time.Duration(min(n, maxRetryAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(value); err == nil {
		if now, err := http.ParseTime(a.Header.Get("Date")); err == nil {
			d = at.Sub(now)
		}
	}
	return min(max(d, 0), maxRetryAfter)
}

// mask replaces the secrets in a text.
func mask(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "(hidden)")
		}
	}
	return text
}
