package alertmanager

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A sender posts alerts.
type sender struct {
	Config
	client *httpclient.Client
}

// post sends a list of alerts to one member.
func (s *sender) post(ctx context.Context, base string, list []alert) (httpclient.Response, error) {
	if list == nil {
		list = []alert{}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return httpclient.Response{}, fmt.Errorf("alertmanager: %w", err)
	}
	q := httpclient.Request{Method: http.MethodPost, URL: base + "/api/v2/alerts", Body: body,
		Header: http.Header{"Content-Type": {"application/json"}}}
	if err := s.sign(&q); err != nil {
		return httpclient.Response{}, &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	a, err := s.client.Do(ctx, q)
	if err == nil && len(a.Body) > 0 && !json.Valid(a.Body) {
		err = &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("%s is not an Alertmanager: it answers %s", base, a.Line())}
	}
	return a, err
}

// minApart is the difference of the clocks that is always allowed: the maximum
// duration of a response.
const minApart = 15 * time.Second

// clocks returns a failure if the member's clock and this node's differ so much that
// alerts end early or late. The alerts have been accepted.
func (s *sender) clocks(base string, at time.Time, a httpclient.Response) error {
	there, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return nil //nolint:nilerr // it does not report the time
	}
	if apart := there.Sub(at).Abs(); apart > max(2*s.Every, minApart) {
		return &report.Failure{Kind: report.Partial,
			Err: fmt.Errorf("%s: its clock and this node's differ by %s: alerts may end early, late or never", base,
				apart.Round(time.Second))}
	}
	return nil
}

// sign adds the credentials, which it reads again for each request.
func (s *sender) sign(q *httpclient.Request) error {
	switch {
	case s.Token != "":
		token, err := s.Token.Read()
		if err != nil {
			return err
		}
		q.Header.Set("Authorization", "Bearer "+token)
		q.Secrets = []string{token}
	case s.User != "":
		password, err := s.Password.Read()
		if err != nil {
			return err
		}
		basic := base64.StdEncoding.EncodeToString([]byte(s.User + ":" + password))
		q.Header.Set("Authorization", "Basic "+basic)
		q.Secrets = []string{password, basic}
	}
	return nil
}
