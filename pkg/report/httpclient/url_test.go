package httpclient_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://192.0.2.10:9093", "https://hub.example.org/api/", "https://[2001:db8::1]"} {
		if err := httpclient.CheckURL("url", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "192.0.2.10:9093", "hub.example.org", "ftp://192.0.2.10", "https://", "https://:80",
		"https://me:" + secret + "@192.0.2.10", "https://192.0.2.10/?t=" + secret, "https://192.0.2.10/#" + secret, "https://192.0.2.10/?",
		"https://" + secret + "%zz"} {
		if err := httpclient.CheckURL("url", bad); err == nil || !strings.HasPrefix(err.Error(), "url: ") ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAQuestionMayAllowALongerAnswer(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 100<<10)
	c, err := httpclient.New(httpclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(long) }))
	t.Cleanup(s.Close)
	for most, want := range map[int64]int{0: 64 << 10, 80 << 10: 80 << 10, 1 << 20: 100 << 10} {
		a, err := c.Do(t.Context(), httpclient.Request{Method: http.MethodGet, URL: s.URL, MaxBody: most})
		if err != nil || len(a.Body) != want {
			t.Errorf("at most %d: %d bytes, %v", most, len(a.Body), err)
		}
	}
}
