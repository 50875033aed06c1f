package httpclienttest_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient/httpclienttest"
)

const secret = "s3cr3t-word"

func ask(ctx context.Context, url string, client *httpclient.Client) (httpclient.Response, error) {
	return client.Do(ctx, httpclient.Request{
		Method: http.MethodPost, URL: url + "/hook", Body: []byte(secret), Secrets: []string{secret},
		Header: http.Header{"Authorization": {"Bearer " + secret}},
	})
}

// wire itself survives all of them; it takes every 200 for a success.
func TestWireSurvives(t *testing.T) {
	httpclienttest.Run(t, httpclienttest.Trial{Secrets: []string{secret}, Believes: true, Send: func(ctx context.Context, url string, client *httpclient.Client) error {
		_, err := ask(ctx, url, client)
		return err
	}})
}

// A reporter that reads what comes back sees through the nonsense.
func TestAReaderSurvives(t *testing.T) {
	httpclienttest.Run(t, httpclienttest.Trial{Secrets: []string{secret}, Send: func(ctx context.Context, url string, client *httpclient.Client) error {
		a, err := ask(ctx, url, client)
		if err == nil && string(a.Body) != "ok" {
			err = &report.Failure{Kind: report.Transient, Err: io.ErrUnexpectedEOF}
		}
		return err
	}})
}

func TestTheRecorderKeepsWhatItIsAsked(t *testing.T) {
	url, r := httpclienttest.Record(t, func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
	client, err := httpclient.New(httpclient.Options{Agent: "nodewatch/1.0"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := ask(t.Context(), url, client)
	if err != nil || string(a.Body) != secret {
		t.Errorf("the handler answered %q, %v", a.Body, err)
	}
	got := r.Drain()
	if len(got) != 1 || got[0].Method != http.MethodPost || got[0].URL != "/hook" || string(got[0].Body) != secret || got[0].Header.Get("User-Agent") != "nodewatch/1.0" {
		t.Errorf("%+v", got)
	}
	if len(r.Requests()) != 0 {
		t.Error("taken requests are kept")
	}
}
