package metrics

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
)

const preface = `# Metrics

nodewatch exports these metrics at ` + "`/metrics`" + `. They are derived from its last report, one per second: a scrape reads
nothing from the machine, and is answered even while all storage is stalled. This page is generated from the program.

- **The number of series is limited.** At ten times the size of the RL1 Node 2 incident (780 krbd disks, 650 guests, 1,820 OSDs, all
  in a storm) there are fewer than 2,500 series. Where a metric has a limit, its help states it.
- **Unknown is never zero.** Data that has not been read has no sample; ` + "`nodewatch_source_up`" + ` shows which sources are
  available. When a source becomes unavailable, the last values stay: check ` + "`nodewatch_source_up`" + ` and
  ` + "`nodewatch_source_last_success_timestamp_seconds`" + ` as well.
- **No duplicates of node_exporter.** It exports the I/O of each disk and softnet of each CPU.
- **Names of images and guests are in the labels**, and are visible to all who can read the metrics.

| metric | kind | labels | description |
| --- | --- | --- | --- |
`

func TestDocsListEveryMetric(t *testing.T) {
	var b strings.Builder
	b.WriteString(preface)
	for _, f := range families(buildinfo.Info{}) {
		kind := "gauge"
		if f.kind == prometheus.CounterValue {
			kind = "counter"
		}
		labels := "–"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, kind, labels, f.help)
	}
	golden(t, "../../docs/metrics.md", b.String())
}

// asks are words with which a help text must not begin because they make it a question; Prometheus'
// own help texts name what is counted or measured.
var asks = regexp.MustCompile(`^(?:How|Whether|When|Which|Since when|For (?:at least )?how)\b`)

func TestHelpIsASentence(t *testing.T) {
	for _, f := range families(buildinfo.Info{}) {
		if asks.MatchString(f.help) {
			t.Errorf("%s: %q begins as a question; say \"Number of\", \"Time of\", \"1 if\"", f.name, f.help)
		}
		if !strings.HasSuffix(f.help, ".") || strings.ToUpper(f.help[:1]) != f.help[:1] || strings.Contains(f.help, "|") {
			t.Errorf("%s: %q is no sentence", f.name, f.help)
		}
	}
}
