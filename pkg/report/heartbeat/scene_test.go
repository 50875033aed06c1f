package heartbeat_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/heartbeat"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

var update = flag.Bool("update", false, "write the golden files")

const token = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"

// all returns the presets.
var all = []string{"healthchecks", "uptimekuma", "gatus", "betterstack", "oneuptime", "kener", "plain"}

var at = time.Date(2026, 3, 1, 2, 14, 0, 0, time.UTC)

// node returns a node with that status. Its summary contains the word that OneUptime
// treats as down.
func node(status report.Impact) report.Report {
	r := report.Report{Node: "node2", Site: "rl1", Started: at.Add(-time.Hour), At: at, Status: status, Version: "1.2.3"}
	r.Components = []report.Component{{Name: "storage", Status: status, State: report.Seen},
		{Name: "network", Status: report.Operational, State: report.Seen}}
	if status == report.Unknown {
		r.Components[0].Summary = "krbd-io: permission denied"
	} else if status.Rank() > report.Unknown.Rank() {
		r.Components[0].Summary = "3 krbd disks report an I/O error & wait"
		r.Findings = []report.Finding{{
			Rule: "krbd-io-error", Subject: "rbd0", Component: "storage", Severity: report.Critical, Impact: status, State: report.Seen,
			Since: at.Add(-31 * time.Second), Summary: "3 krbd disks report an I/O error & wait",
			Runbook:  "https://example.net/rules#krbd-io-error",
			Evidence: []report.Evidence{{Source: "kmsg", Subject: "rbd0", Fact: "7 failed requests in 10 s", At: at}},
		}}
	}
	return r
}

// config returns a working configuration of the preset for a service at the base URL.
func config(t *testing.T, preset, base string) heartbeat.Config {
	t.Helper()
	c := heartbeat.Default()
	c.Preset = preset
	switch preset {
	case "plain":
		c.URLFile, c.DownFile = reporttest.Secret(t, base+"/up/"+token), reporttest.Secret(t, base+"/down/"+token)
	case "gatus":
		c.URL, c.Token, c.Group, c.Endpoint = base, reporttest.Secret(t, token), "RL1 & more", "Node 2, storage"
	case "kener":
		c.URL, c.Token, c.Tag = base, reporttest.Secret(t, token), "rl1-node2"
	default:
		c.URL, c.Token = base, reporttest.Secret(t, token)
	}
	return c
}

func newReporter(t *testing.T, c heartbeat.Config) *heartbeat.Reporter {
	t.Helper()
	h, err := heartbeat.New(c, reporttest.Client(t, httpclient.Options{Agent: "nodewatch/test"}))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// beats prints the requests in the format of the golden files.
func beats(list []reporttest.Request) string {
	var b strings.Builder
	for _, q := range list {
		fmt.Fprintf(&b, "%s %s\n", q.Method, q.URL)
		for _, name := range []string{"Authorization", "Content-Type"} {
			if v := q.Header.Get(name); v != "" {
				fmt.Fprintf(&b, "%s: %s\n", name, v)
			}
		}
		if len(q.Body) > 0 {
			fmt.Fprintf(&b, "\n%s\n", q.Body)
		}
		b.WriteString("\n")
	}
	return b.String()
}
