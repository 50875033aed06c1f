package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// A backend is the contract of one service: the checks of a request, and the
// response. An empty response means 200 and the service's success.
type backend struct {
	success func() (code int, body string)
	refuse  func(q *http.Request, body map[string]any) (code int, answer string)
}

// ServeHTTP implements http.Handler.
func (b backend) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	code, answer := b.judge(q)
	w.WriteHeader(code)
	_, _ = io.WriteString(w, answer)
}

func (b backend) judge(q *http.Request) (int, string) {
	raw, _ := io.ReadAll(q.Body)
	if !strings.HasPrefix(q.Header.Get("Content-Type"), "application/") {
		return 415, "unsupported media type"
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return 400, "invalid_payload"
	}
	if len(raw) > 512<<10 {
		return 413, "too large"
	}
	if code, answer := b.refuse(q, body); code != 0 {
		return code, answer
	}
	return b.success()
}

func says(code int, body string) func() (int, string) {
	return func() (int, string) { return code, body }
}

func text(body map[string]any, field string) string {
	s, _ := body[field].(string)
	return s
}

// only returns an error for a field unknown to the service.
func only(body map[string]any, known ...string) string {
	for name := range body {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found {
			return name
		}
	}
	return ""
}

// hooked is for services whose address is the secret: another address does not exist.
func hooked(q *http.Request) bool { return q.URL.Path == "/hooks/"+hookSecret }

// backends are the contracts, by preset.
func backends() map[string]backend {
	return map[string]backend{
		"slack": {says(200, "ok"), func(q *http.Request, body map[string]any) (int, string) {
			switch {
			case !hooked(q):
				return 404, "no_service"
			case text(body, "text") == "":
				return 400, "no_text"
			case utf8.RuneCountInString(text(body, "text")) > 40000:
				return 400, "msg_too_long"
			case strings.ContainsAny(strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(text(body, "text")), "&<>"):
				return 400, "unescaped"
			}
			return 0, ""
		}},
		"mattermost": {says(200, "ok"), func(q *http.Request, body map[string]any) (int, string) {
			switch {
			case !hooked(q):
				return 404, `{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook.","status_code":404}`
			case text(body, "text") == "", utf8.RuneCountInString(text(body, "text")) > 16383:
				return 400, `{"id":"web.incoming_webhook.text.app_error","status_code":400}`
			case strings.Contains(strings.ReplaceAll(text(body, "text"), "@\u200b", ""), "@"):
				return 400, "mentions somebody"
			}
			return 0, ""
		}},
		"discord":  {says(200, `{"id":"1300000000000000000","type":0}`), refuseDiscord},
		"ntfy":     {says(200, `{"id":"sPs71M8A2T","time":1772331240,"event":"message","topic":"nodewatch-rl1"}`), refuseNtfy},
		"telegram": {says(200, `{"ok":true,"result":{"message_id":7}}`), refuseTelegram},
		"json":     {says(202, ""), refuseHook},
		"template": {says(200, "fine"), refuseHook},
		"cloudevents": {says(200, ""), func(q *http.Request, body map[string]any) (int, string) {
			switch {
			case !strings.HasPrefix(q.Header.Get("Content-Type"), "application/cloudevents+json"):
				return 415, "not a structured event"
			case text(body, "specversion") != "1.0", text(body, "id") == "", text(body, "source") == "", text(body, "type") == "":
				return 400, "a required attribute is missing"
			case only(body, "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data") != "":
				return 400, "an unknown attribute"
			}
			return refuseHook(q, body)
		}},
		"oncall": {says(200, "Ok."), func(q *http.Request, body map[string]any) (int, string) {
			if s := text(body, "state"); s != "ok" && s != "alerting" {
				return 400, "state"
			}
			if only(body, "alert_uid", "title", "image_url", "state", "link_to_upstream_details", "message") != "" ||
				text(body, "alert_uid") == "" {
				return 400, "fields"
			}
			return refuseHook(q, body)
		}},
		"incidentio": {says(202, `{"deduplication_key":"nodewatch/rl1/node2","message":"Event accepted for processing","status":"success"}`), func(q *http.Request, body map[string]any) (int, string) {
			switch s := text(body, "status"); {
			case q.Header.Get("Authorization") != "Bearer "+token:
				return 401, `{"type":"authentication_error"}`
			case q.URL.Path != "/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66":
				return 404, `{"type":"not_found"}`
			case s != "firing" && s != "resolved", text(body, "title") == "":
				return 422, `{"type":"validation_error"}`
			}
			return 0, ""
		}},
		"betterstack": {says(200, `{"ok":true}`), func(q *http.Request, body map[string]any) (int, string) {
			if s := text(body, "state"); s != "started" && s != "resolved" || text(body, "alert_id") == "" {
				return 422, "no rule matches"
			}
			return refuseHook(q, body)
		}},
	}
}

func refuseHook(q *http.Request, _ map[string]any) (int, string) {
	if !hooked(q) {
		return 404, "not found"
	}
	return 0, ""
}

func refuseDiscord(q *http.Request, body map[string]any) (int, string) {
	mentions, has := body["allowed_mentions"].(map[string]any)
	parse, empty := mentions["parse"].([]any)
	switch {
	case !hooked(q):
		return 404, `{"message":"Unknown Webhook","code":10015}`
	case q.URL.Query().Get("wait") != "true":
		return 400, "the answer would prove nothing"
	case text(body, "content") == "":
		return 400, `{"message":"Cannot send an empty message","code":50006}`
	case len(utf16.Encode([]rune(text(body, "content")))) > 2000:
		return 400, `{"code":50035,"errors":{"content":{"_errors":[{"code":"BASE_TYPE_MAX_LENGTH"}]}}}`
	case !has || !empty || len(parse) > 0:
		return 400, "mentions somebody"
	}
	return 0, ""
}

func refuseNtfy(q *http.Request, body map[string]any) (int, string) {
	priority, _ := body["priority"].(float64)
	switch {
	case q.Header.Get("Authorization") != "Bearer "+token:
		return 403, `{"code":40301,"http":403,"error":"forbidden"}`
	case q.URL.Path != "/" && q.URL.Path != "":
		return 404, `{"code":40401,"http":404,"error":"page not found"}`
	case text(body, "topic") != "nodewatch-rl1":
		return 400, `{"code":40009,"http":400,"error":"invalid request: topic invalid"}`
	case priority < 1 || priority > 5:
		return 400, `{"code":40007,"http":400,"error":"invalid priority parameter"}`
	case len(text(body, "message")) > 4096:
		return 413, `{"code":41301,"http":413}`
	case only(body, "topic", "title", "message", "priority", "tags", "click") != "":
		return 400, `{"code":40024,"http":400,"error":"invalid request: body must be message JSON"}`
	}
	return 0, ""
}

func refuseTelegram(q *http.Request, body map[string]any) (int, string) {
	chat, number := body["chat_id"].(float64)
	switch {
	case q.URL.Path != "/bot"+token+"/sendMessage":
		return 404, `{"ok":false,"error_code":404,"description":"Not Found"}`
	case !number || chat != -1001234567890:
		return 400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`
	case text(body, "text") == "":
		return 400, `{"ok":false,"error_code":400,"description":"Bad Request: message text is empty"}`
	case len(utf16.Encode([]rune(text(body, "text")))) > 4096:
		return 400, `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`
	case body["parse_mode"] != nil:
		return 400, `{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities"}`
	}
	return 0, ""
}

// A breach is a request that a contract rejects.
type breach struct {
	preset, path, body string
	header             map[string]string
	code               int
}

// Each rule of the contracts rejects its violation.
func TestTheContractsRefuse(t *testing.T) {
	hook, bearer := "/hooks/"+hookSecret, map[string]string{"Authorization": "Bearer " + token}
	for _, b := range []breach{
		{"slack", hook, `nonsense`, nil, 400},
		{"slack", hook, `{"text":"x"}`, map[string]string{"Content-Type": "text/plain"}, 415},
		{"slack", "/hooks/other", `{"text":"x"}`, nil, 404},
		{"slack", hook, `{"text":""}`, nil, 400},
		{"slack", hook, `{"text":"` + strings.Repeat("x", 40001) + `"}`, nil, 400},
		{"slack", hook, `{"text":"<!channel>"}`, nil, 400},
		{"slack", hook, `{"text":"` + strings.Repeat("x", 600<<10) + `"}`, nil, 413},
		{"mattermost", "/hooks/other", `{"text":"x"}`, nil, 404},
		{"mattermost", hook, `{"text":"` + strings.Repeat("x", 16384) + `"}`, nil, 400},
		{"mattermost", hook, `{"text":"@all"}`, nil, 400},
		{"discord", "/hooks/other?wait=true", `{"content":"x","allowed_mentions":{"parse":[]}}`, nil, 404},
		{"discord", hook, `{"content":"x","allowed_mentions":{"parse":[]}}`, nil, 400},
		{"discord", hook + "?wait=true", `{"content":"","allowed_mentions":{"parse":[]}}`, nil, 400},
		{"discord", hook + "?wait=true", `{"content":"` + strings.Repeat("x", 2001) + `","allowed_mentions":{"parse":[]}}`, nil, 400},
		{"discord", hook + "?wait=true", `{"content":"x"}`, nil, 400},
		{"discord", hook + "?wait=true", `{"content":"x","allowed_mentions":{"parse":["everyone"]}}`, nil, 400},
		{"ntfy", "/", `{"topic":"nodewatch-rl1","priority":3}`, nil, 403},
		{"ntfy", "/nodewatch-rl1", `{"topic":"nodewatch-rl1","priority":3}`, bearer, 404},
		{"ntfy", "/", `{"topic":"other","priority":3}`, bearer, 400},
		{"ntfy", "/", `{"topic":"nodewatch-rl1","priority":6}`, bearer, 400},
		{"ntfy", "/", `{"topic":"nodewatch-rl1","priority":3,"what":1}`, bearer, 400},
		{"ntfy", "/", `{"topic":"nodewatch-rl1","priority":3,"message":"` + strings.Repeat("x", 4097) + `"}`, bearer, 413},
		{"telegram", "/bot1:other/sendMessage", `{"chat_id":-1001234567890,"text":"x"}`, nil, 404},
		{"telegram", "/bot" + token + "/sendMessage", `{"chat_id":1,"text":"x"}`, nil, 400},
		{"telegram", "/bot" + token + "/sendMessage", `{"chat_id":-1001234567890,"text":""}`, nil, 400},
		{"telegram", "/bot" + token + "/sendMessage", `{"chat_id":-1001234567890,"text":"` + strings.Repeat("x", 4097) + `"}`, nil, 400},
		{"telegram", "/bot" + token + "/sendMessage", `{"chat_id":-1001234567890,"text":"x","parse_mode":"HTML"}`, nil, 400},
		{"json", "/hooks/other", `{}`, nil, 404},
		{"cloudevents", hook, `{"specversion":"1.0","id":"1","source":"/x","type":"t"}`, nil, 415},
		{"cloudevents", hook, `{"specversion":"1.0","source":"/x","type":"t"}`,
			map[string]string{"Content-Type": "application/cloudevents+json"}, 400},
		{"cloudevents", hook, `{"specversion":"1.0","id":"1","source":"/x","type":"t","Extra":1}`,
			map[string]string{"Content-Type": "application/cloudevents+json"}, 400},
		{"oncall", hook, `{"alert_uid":"x","state":"firing"}`, nil, 400},
		{"oncall", hook, `{"alert_uid":"x","state":"ok","status":1}`, nil, 400},
		{"incidentio", "/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66", `{"title":"x","status":"firing"}`, nil, 401},
		{"incidentio", "/v2/alert_events/http/other", `{"title":"x","status":"firing"}`, bearer, 404},
		{"incidentio", "/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66", `{"title":"x","status":"alerting"}`, bearer, 422},
		{"betterstack", hook, `{"alert_id":"x","state":"firing"}`, nil, 422},
	} {
		q, err := http.NewRequest(http.MethodPost, "http://192.0.2.1"+b.path, strings.NewReader(b.body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		for name, value := range b.header {
			q.Header.Set(name, value)
		}
		if code, answer := backends()[b.preset].judge(q); code != b.code {
			t.Errorf("%s %s %s: %d %s, want %d", b.preset, b.path, fmt.Sprintf("%.60s", b.body), code, answer, b.code)
		}
	}
}
