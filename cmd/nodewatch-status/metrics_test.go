package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// asks matches the beginning of a help text that is a question, where Prometheus' own help names what
// is counted or measured.
var asks = regexp.MustCompile(`^(?:How|Whether|When|Which|Since when|For (?:at least )?how)\b`)

// docs/status-metrics.md lists the metrics of a hub that has refused requests,
// counted its nodes and run a check.
func TestDocsOfTheMetricsAreFresh(t *testing.T) {
	const file = "../../docs/status-metrics.md"
	checked := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(checked.Close)
	const probe = "checks: {modules: {m: {prober: http, http: {valid_status_codes: [404], tls_config: {insecure_skip_verify: true}}}}}\n"
	h := start(t, configured(t, probe+strings.Replace(onePage, "node: ",
		fmt.Sprintf("check: {module: m, target: %q}, node: ", checked.URL), 1)))
	answer, err := http.Post(h.intake+"v1/report", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only the status is needed
	if answer, err = http.Get(h.operators + "api/v1/nodes"); err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only the status is needed
	shown := eventually(t, h.operators+"metrics",
		`(?s)nodewatch_status_check_certificate.*nodewatch_status_nodes\{.*refused_requests_total\{code="401"\}`)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(shown))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Metrics of nodewatch-status\n\n<!-- generated: change cmd/nodewatch-status/metrics.go, then run \"make docs\" -->\n\n" +
		"nodewatch-status exports these metrics at `/metrics` of the operators' listener, in addition to those of Go and of the process.\n\n| metric | type | labels | description |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "nodewatch_") {
			continue
		}
		if help := families[name].GetHelp(); !strings.HasSuffix(help, ".") || asks.MatchString(help) {
			t.Errorf("%s: %q is no sentence, or begins as a question; say \"Number of\", \"Time of\", \"1 if\"", name, help)
		}
		var labels []string
		for _, l := range families[name].Metric[0].Label {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(families[name].GetType().String()), strings.Join(labels, ", "),
			families[name].GetHelp())
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(raw)); diff != "" {
		t.Errorf("%s is stale; make docs writes it (-now +file)\n%s", file, diff)
	}
}
