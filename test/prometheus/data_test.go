package prometheus_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

var counterLine = regexp.MustCompile(`(?m)^(\w+_total(?:\{.*\})?) (\S+)$`)

// stormExporter serves nodewatch's metrics of a storm, with counters that increase by
// one at each scrape. The channel receives each scrape.
func stormExporter(t *testing.T) (address string, scraped <-chan struct{}) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(prometheus.Root(), fixture))
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 1000)
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k := float64(n.Add(1))
		body := counterLine.ReplaceAllStringFunc(string(raw), func(line string) string {
			m := counterLine.FindStringSubmatch(line)
			value, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				return line
			}
			return fmt.Sprintf("%s %g", m[1], value+k)
		})
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintf(w, "%s", body)
		select {
		case came <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), came
}

// answers queries Prometheus and returns the number of series.
func answers(t *testing.T, base, expr string) int {
	t.Helper()
	a, err := http.PostForm(base+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	var body struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(a.Body).Decode(&body); err != nil || body.Status != "success" {
		t.Fatalf("%s: %v, %s", expr, err, body.Error)
	}
	return len(body.Data.Result)
}

// Each query of the dashboards, and each recording rule, returns series for
// nodewatch's metrics of a storm, in a real Prometheus.
func TestQueriesBringData(t *testing.T) {
	t.Parallel()
	prometheus.Program(t, prometheus.Prometheus)
	address, scraped := stormExporter(t)
	dir := t.TempDir()
	base := prometheus.StartPrometheus(t, dir, scraping(t, dir, "", "", address, "127.0.0.1:1"))
	waits := map[string]string{}
	for _, q := range queries(t) {
		if !strings.Contains(q.where, ", annotation ") { // annotations mark moments, which the exporter does not simulate
			waits[q.where] = q.expr
		}
	}
	for _, r := range rules(t) {
		if r.Record != "" && r.Record != "instance:nodewatch_maintenance:last" { // no maintenance is simulated
			waits[r.Record] = r.Record
		}
	}
	n, late := len(waits), time.After(soon)
	for len(waits) > 0 {
		select {
		case <-scraped:
			for where, expr := range waits {
				if answers(t, base, expr) > 0 {
					delete(waits, where)
				}
			}
		case <-late:
			for where, expr := range waits {
				t.Errorf("%s brings nothing: %s", where, expr)
			}
			return
		}
	}
	t.Logf("%d queries bring data", n)
}

// A running nodewatch serves the metrics that do not come from a View, and the
// vocabulary contains all metrics that it serves.
func TestTheDaemonShowsWhatTheRulesUse(t *testing.T) {
	t.Parallel()
	node := startNodewatch(t, "run", "--web.listen-address=127.0.0.1:0")
	a, err := http.Get("http://" + node.address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	displayed := names(t, a.Body)
	v := newVocabulary(t)
	for _, name := range displayed {
		if _, known := v.labels[name]; strings.HasPrefix(name, "nodewatch_") && !known {
			t.Errorf("it shows %s, which docs/metrics.md does not list", name)
		}
	}
	for name := range foreign {
		if strings.HasPrefix(name, "nodewatch_") && !slices.Contains(displayed, name) {
			t.Errorf("it does not show %s", name)
		}
	}
}
