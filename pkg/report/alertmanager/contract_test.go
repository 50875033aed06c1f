package alertmanager_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

const quietConfig = "route: {receiver: none}\nreceivers: [{name: none}]\n"

// The fake rejects what the real Alertmanager rejects, with the same code, and
// accepts the same.
func TestContract(t *testing.T) {
	t.Run("fake", func(t *testing.T) { contract(t, newFake(t).URL) })
	t.Run("real", func(t *testing.T) { contract(t, prometheus.StartAlertmanager(t, quietConfig)) })
}

func contract(t *testing.T, base string) {
	const future = `"startsAt":"2030-01-01T00:00:00Z","endsAt":"2030-01-01T00:02:00Z"`
	for _, c := range []struct {
		name, method, path, form, body string
		code                           int
	}{
		{"one", "POST", "/api/v2/alerts", "application/json", `[{"labels":{"alertname":"A"},` + future + `}]`, 200},
		{"none", "POST", "/api/v2/alerts", "application/json", `[]`, 200},
		{"over, never fired", "POST", "/api/v2/alerts", "application/json",
			`[{"labels":{"alertname":"A"},"startsAt":"2020-01-01T00:00:00Z","endsAt":"2020-01-01T00:02:00Z"}]`, 200},
		{"no labels", "POST", "/api/v2/alerts", "application/json", `[{"labels":{},` + future + `}]`, 400},
		{"an empty label only", "POST", "/api/v2/alerts", "application/json", `[{"labels":{"a":""},` + future + `}]`, 400},
		{"a label with a dash", "POST", "/api/v2/alerts", "application/json", `[{"labels":{"a-b":"x"},` + future + `}]`, 400},
		{"mixed", "POST", "/api/v2/alerts", "application/json", `[{"labels":{"alertname":"B"},` + future + `},{"labels":{},` +
			future + `}]`, 400},
		{"ends before it starts", "POST", "/api/v2/alerts", "application/json",
			`[{"labels":{"alertname":"A"},"startsAt":"2030-01-01T00:00:00Z","endsAt":"2029-01-01T00:00:00Z"}]`, 400},
		{"no list", "POST", "/api/v2/alerts", "application/json", `{"labels":{"alertname":"A"}}`, 400},
		{"no JSON", "POST", "/api/v2/alerts", "application/json", `hello`, 400},
		{"generatorURL is no URI", "POST", "/api/v2/alerts", "application/json",
			`[{"labels":{"alertname":"A"},"generatorURL":"not a uri",` + future + `}]`, 422},
		{"plain text", "POST", "/api/v2/alerts", "text/plain", `[]`, 415},
		{"version 3", "POST", "/api/v3/alerts", "application/json", `[]`, 404},
		{"PUT", "PUT", "/api/v2/alerts", "application/json", `[]`, 405},
	} {
		q, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", c.form)
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if a.StatusCode != c.code {
			t.Errorf("%s: %d %s, want %d", c.name, a.StatusCode, text, c.code)
		}
	}
}
