package native_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// No response of a hostile backend counts as an acknowledgement.
func TestHostileBackends(t *testing.T) {
	for name, send := range map[string]func(context.Context, *native.Reporter, report.Report) error{
		"Report": func(ctx context.Context, x *native.Reporter, r report.Report) error { return x.Report(ctx, r) },
		"Test": func(ctx context.Context, x *native.Reporter, r report.Report) error {
			_, err := x.Test(ctx, r)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			reporttest.Run(t, reporttest.Trial{Secrets: []string{token},
				Send: func(ctx context.Context, url string, client *httpclient.Client) error {
					c := native.Default()
					c.URL, c.Token = url, reporttest.Secret(t, token)
					x, err := native.New(c, client, statefile.File{})
					if err != nil {
						t.Fatal(err)
					}
					err = send(ctx, x, withTransitions(calm(0), 1, 3))
					if got := x.Queue(); name == "Report" && got.Waiting != 3 {
						t.Errorf("%d transitions wait, want all 3", got.Waiting)
					}
					return err
				}})
		})
	}
}

func answering(code int, header, text string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
		return true
	}
}

func TestEachAnswerCallsForItsKind(t *testing.T) {
	const good = `{"accepted_seq": 1795348800000, "server_time": "2026-11-22T12:00:00Z"}`
	for _, c := range []struct {
		name         string
		code         int
		header, text string
		kind         report.FailureKind
		after        time.Duration
		says         string
		requests     int
	}{
		{"good", 200, "", good, "", 0, "", 1},
		{"good, and more than is known", 200, "", strings.Replace(good, "{", `{"motd": [1], `, 1), "", 0, "", 1},
		{"accepted only", 202, "", good, report.Transient, 0, "code is not 200", 1},
		{"no content", 204, "", "", report.Transient, 0, "code is not 200", 1},
		{"another seq", 200, "", strings.Replace(good, "00000,", "00001,", 1), report.Transient, 0, "1795348800000 was sent", 1},
		{"no seq", 200, "", `{"server_time": "2026-11-22T12:00:00Z"}`, report.Transient, 0, "is missing", 1},
		{"no time", 200, "", `{"accepted_seq": 1795348800000}`, report.Transient, 0, "is missing", 1},
		{"no such time", 200, "", strings.Replace(good, "2026-11-22T", "yesterday ", 1), report.Transient, 0, "not a JSON object", 1},
		{"twice", 200, "", good + good, report.Transient, 0, "more than one", 1},
		{"in a list", 200, "", "[" + good + "]", report.Transient, 0, "not a JSON object", 1},
		{"wrong token", 401, "", `{"error": "who?"}`, report.Misconfigured, 0, "who?", 1},
		{"wrong node", 403, "", `{"error": "not rl1/node2"}`, report.Misconfigured, 0, "not rl1/node2", 1},
		{"another instance", 409, "", `{"error": "x", "reason": "other_instance"}`, report.Stale, 0, "", 1},
		{"old, without a number", 409, "", `{"error": "x", "reason": "old_seq"}`, report.Stale, 0, "", 1},
		{"old, by very much", 409, "", `{"error": "x", "reason": "old_seq", "accepted_seq": 9007199254740991}`, report.Stale, 0, "", 1},
		{"old, and again", 409, "", `{"error": "x", "reason": "old_seq", "accepted_seq": 1795348900000}`, report.Stale, 0, "", 2},
		{"too large indefinitely", 413, "", ``, report.Misconfigured, 0, "413", 1},
		{"wrong fields", 422, "", `{"error": "x", "fields": [{"field": "components[0].status", "text": "must be ` + token +
			`"}, {"field": "seq", "text": "\u001b[1m"}]}`,
			report.Misconfigured, 0, "components[0].status: must be (hidden); seq: [1m", 1},
		{"wrong, without fields", 422, "", `nonsense`, report.Misconfigured, 0, "nonsense", 1},
		{"too often", 429, "Retry-After: 7", ``, report.Throttled, 7 * time.Second, "", 1},
		{"down for repair", 503, "Retry-After: 30", ``, report.Throttled, 30 * time.Second, "", 1},
		{"down", 503, "", ``, report.Transient, 0, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _, rec := backend(t, receiver.Config{}, answering(c.code, c.header, c.text))
			x := reporter(t, url, statefile.File{})
			err := x.Report(t.Context(), withTransitions(calm(0), 1, 1))
			f := report.FailureOf(err)
			switch {
			case c.kind == "" && err != nil:
				t.Errorf("%v", err)
			case c.kind != "" && (f == nil || f.Kind != c.kind || f.After != c.after || !strings.Contains(f.Error(), c.says) ||
				strings.Contains(f.Error(), token)):
				t.Errorf("%v, after %v; want %s saying %q after %s", err, f, c.kind, c.says, c.after)
			}
			if got := len(rec.Drain()); got != c.requests {
				t.Errorf("%d requests, want %d", got, c.requests)
			}
			if got := x.Queue().Waiting; (got == 0) != (c.kind == "") {
				t.Errorf("%d transitions wait", got)
			}
		})
	}
}

func TestManyWrongFieldsAreCounted(t *testing.T) {
	no := native.Refusal{Error: "x"}
	for range 12 {
		no.Fields = append(no.Fields, native.Field{Field: "seq", Text: strings.Repeat("long ", 100)})
	}
	raw, err := json.Marshal(no)
	if err != nil {
		t.Fatal(err)
	}
	url, _, _ := backend(t, receiver.Config{}, answering(422, "", string(raw)))
	err = reporter(t, url, statefile.File{}).Report(t.Context(), calm(0))
	if err == nil || !strings.HasSuffix(err.Error(), "; and 7 more") || len(err.Error()) > 2000 {
		t.Errorf("%v", err)
	}
}

// The interval that the backend requests and its clock are used, and dropped when a
// response has none.
func TestPaceAndSkew(t *testing.T) {
	text := ""
	url, _, rec := backend(t, receiver.Config{}, func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, text)
		return true
	})
	x := reporter(t, url, statefile.File{})
	if _, known := x.Skew(); known || x.Every() != 0 {
		t.Error("something is known before the first answer")
	}
	for n, c := range []struct {
		next string
		want time.Duration
	}{{"", 0}, {`, "next_interval_s": 90.5`, 90500 * time.Millisecond}, {`, "next_interval_s": 1e300`, time.Hour},
		{`, "next_interval_s": null`, 0}} {
		r := calm(time.Duration(n) * time.Second)
		text = `{"accepted_seq": ` + seqOf(r) + `, "server_time": "2026-11-22T11:59:57Z"` + c.next + `}`
		if err := x.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		skew, known := x.Skew()
		if want := -time.Duration(3+n) * time.Second; x.Every() != c.want || skew != want || !known {
			t.Errorf("with %q: every %s, skew %s", c.next, x.Every(), skew)
		}
	}
	var b native.Body
	if err := json.Unmarshal(plain(t, rec.Drain()[2]), &b); err != nil || b.Interval != 91 || b.TTL != 283 {
		t.Errorf("the body after says %d, %d, %v", b.Interval, b.TTL, err)
	}
}

// seqOf returns the seq of a Reporter's first body.
func seqOf(r report.Report) string {
	raw, _ := json.Marshal(r.At.UnixMilli())
	return string(raw)
}

// Property: what counts as an acknowledgement is one JSON object that a backend
// writes with the same meaning. It has the seq that was sent, and requests an
// interval between zero and an hour.
func FuzzParseAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"accepted_seq":7,"server_time":"2026-11-22T12:00:00Z","next_interval_s":30}`,
		`{"accepted_seq":7.0,"server_time":"2026-11-22T12:00:00+01:00"}`,
		`{"accepted_seq":7,"server_time":"2026-11-22T12:00:00Z"}{}`, `{"ACCEPTED_SEQ":7,"server_time":null}`, `[]`, `null`, ``, `<html>`,
		`{"accepted_seq":1e400}`,
		`{"accepted_seq":7,"server_time":"2026-11-22T12:00:00Z","next_interval_s":-1}`,
	} {
		f.Add([]byte(seed), uint64(7))
	}
	f.Fuzz(func(t *testing.T, raw []byte, seq uint64) {
		a, err := native.ParseResponse(raw, seq)
		if err != nil {
			return
		}
		if !json.Valid(raw) || a.Accepted != seq || a.Next < 0 || a.Next > 3600 {
			t.Fatalf("%q passes as %+v", raw, a)
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := native.ParseResponse(again, seq); err != nil || !b.ServerTime.Equal(a.ServerTime) || b.Next != a.Next {
			t.Fatalf("%+v is read back as %+v, %v", a, b, err)
		}
	})
}
