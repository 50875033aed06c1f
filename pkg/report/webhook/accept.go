package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// refused returns the failure for a response that is not a success despite its code.
func refused(a httpclient.Response, want string) error {
	return &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("webhook: not accepted: the response is not %s: %s", want, a.Line())}
}

// any2xx accepts every response with a code of success.
func any2xx(httpclient.Response) error { return nil }

// saysOK is for Slack and Mattermost: any body other than "ok" is the name of an
// error.
func saysOK(a httpclient.Response) error {
	if strings.TrimSpace(string(a.Body)) != "ok" {
		return refused(a, "ok")
	}
	return nil
}

// discordAccepts requires the message in the response, or code 204.
func discordAccepts(a httpclient.Response) error {
	var body struct {
		ID string `json:"id"`
	}
	if a.Code == http.StatusNoContent && len(a.Body) == 0 || json.Unmarshal(a.Body, &body) == nil && body.ID != "" {
		return nil
	}
	return refused(a, "a message with its id")
}

// ntfyAccepts requires the message in the response.
func ntfyAccepts(a httpclient.Response) error {
	var body struct {
		ID    string `json:"id"`
		Event string `json:"event"`
	}
	if json.Unmarshal(a.Body, &body) != nil || body.ID == "" || body.Event != "message" {
		return refused(a, "a message with its id")
	}
	return nil
}

// telegramAccepts requires "ok": true; an error may have any code.
func telegramAccepts(a httpclient.Response) error {
	var body struct {
		OK   bool `json:"ok"`
		Code int  `json:"error_code"`
	}
	if json.Unmarshal(a.Body, &body) != nil || !body.OK {
		err := refused(a, `"ok": true`)
		if body.Code == http.StatusTooManyRequests {
			f := report.FailureOf(err)
			f.Kind = report.Throttled
			return withRetryAfter(f, a)
		}
		return err
	}
	return nil
}

// incidentAccepts requires the alert's key in the response, or the status "success".
func incidentAccepts(a httpclient.Response) error {
	var body struct {
		Key    string `json:"deduplication_key"`
		Status string `json:"status"`
	}
	if json.Unmarshal(a.Body, &body) != nil || body.Key == "" && body.Status != "success" {
		return refused(a, "an accepted alert event")
	}
	return nil
}
