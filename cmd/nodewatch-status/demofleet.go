package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// recording contains the reports of nodewatch in the incident of
// testdata/incidents/rl1-node2.txtar, from some minutes before the storm: a line for each
// report with a change.
//
//go:embed demo/rl1-node2.jsonl.zst
var recording []byte

// A recorded is a report and its offset from the beginning of the incident's file.
type recorded struct {
	Offset float64       `json:"offset_s"`
	Report report.Report `json:"report"`
}

// maxRecording is the maximum size of the decompressed recording, in bytes.
const maxRecording = 64 << 20

// recordedReports returns the reports of the recording.
func recordedReports() (list []recorded, err error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRecording))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	raw, err := z.DecodeAll(recording, nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, maxRecording)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, lines.Err()
}

// reportEvery is the reporting interval of the demo's nodes.
const reportEvery = 5 * time.Second

// A demoNode sends reports like a node.
type demoNode struct {
	reporter *native.Reporter
	calm     report.Report // report while no recording is played
	tape     []recorded    // recording to play; empty: none
	speed    float64
	skip     time.Duration // start offset in the tape
	failed   func(error)
}

// odd is the node whose incident is replayed.
const odd = "rl1/node2"

// fleet creates the nodes of the configuration, each with its own token; all have
// reported once.
func (d *demo) fleet(ctx context.Context, intake string) (nodes []*demoNode, err error) {
	tape, err := recordedReports()
	if err != nil {
		return nil, fmt.Errorf("the recording: %w", err)
	}
	secrets := map[string]string{}
	if err := d.store.Update(ctx, func(tx *store.Tx) error {
		for _, g := range d.config.Groups {
			for _, c := range g.Components {
				if c.Node == "" {
					continue
				}
				secrets[c.Node] = store.NewSecret()
				if err := tx.IssueToken(ctx, secrets[c.Node], store.Token{Kind: store.NodeToken, Subject: c.Node, Created: d.began,
					CreatedBy: "demo"}); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	var (
		once   sync.Once
		failed = func(err error) {
			once.Do(func() { fmt.Fprintf(d.err, "nodewatch-status: a node cannot report: %v\n", err) })
		}
	)
	for key, secret := range secrets {
		site, name, _ := strings.Cut(key, "/")
		file := filepath.Join(d.dir, site+"-"+name+".token")
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			return nil, err
		}
		client, err := httpclient.New(httpclient.Options{Agent: "nodewatch/" + buildinfo.Read().Version})
		if err != nil {
			return nil, err
		}
		c := native.Default()
		c.URL, c.Token, c.Every = strings.TrimSuffix(intake, "/"), httpclient.SecretFile(file), reportEvery
		n := &demoNode{speed: *d.speed, skip: *d.skip, failed: failed, calm: calmReport(site, name, d.began)}
		if key == odd {
			for _, r := range tape {
				r.Report.Site, r.Report.Version = site, buildinfo.Read().Version
				n.tape = append(n.tape, r)
			}
		}
		if n.reporter, err = native.New(c, client, statefile.File{}); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	first := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { first <- n.reporter.Report(ctx, n.at(d.began, d.began)) }()
	}
	for range nodes {
		if err := <-first; err != nil {
			return nil, fmt.Errorf("a node cannot report: %w", err)
		}
	}
	return nodes, nil
}

// calmReport returns the report of a node without trouble.
func calmReport(site, node string, now time.Time) report.Report {
	started := now.Add(-90 * 24 * time.Hour)
	r := report.Report{
		Node: node, Site: site, Boot: fmt.Sprintf("00000000-0000-4000-8000-%012x", len(node)*1000+int(node[len(node)-1])),
		Started: started, Status: report.Operational, Version: buildinfo.Read().Version,
		Inventory: inventory("librbd", "layer3+4"),
	}
	for _, name := range report.ComponentNames() {
		r.Components = append(r.Components, report.Component{Name: name, Status: report.Operational, State: report.Seen, Since: started})
	}
	return r
}

// inventory returns the inventory of a demo node.
func inventory(client, policy string) report.Labels {
	return report.Labels{"client": client, "hash_policy": policy, "kernel": "6.1.0-56-amd64", "mtu": "9,000", "nic_speed": "2 x 10 Gbit/s"}
}

// at returns the report of the node at now; began is when its tape started. Times
// before the start of the tape keep their distance to it.
func (n *demoNode) at(began, now time.Time) report.Report {
	if len(n.tape) == 0 {
		r := n.calm
		r.At = now
		return r
	}
	first := n.tape[0]
	played := now.Sub(began).Seconds()*n.speed + n.skip.Seconds()
	latest := first
	for _, r := range n.tape {
		if r.Offset-first.Offset <= played {
			latest = r
		}
	}
	r := latest.Report.Retimed(func(at time.Time) time.Time {
		after := at.Sub(first.Report.At) - n.skip
		if after > 0 {
			after = time.Duration(float64(after) / n.speed)
		}
		return began.Add(after)
	})
	r.At = now
	r.Inventory = inventory("krbd", "layer2")
	return r
}

// report sends reports until ctx ends: each report of the tape when it is due, and
// otherwise one per interval.
func (n *demoNode) report(ctx context.Context) {
	began := time.Now()
	next := func(now time.Time) time.Duration {
		wait := reportEvery
		for _, r := range n.tape {
			due := began.Add(time.Duration((r.Offset - n.tape[0].Offset - n.skip.Seconds()) / n.speed * float64(time.Second)))
			if until := due.Sub(now); until > 0 && until < wait {
				wait = until
			}
		}
		return max(wait, 50*time.Millisecond)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next(time.Now())):
		}
		if err := n.reporter.Report(ctx, n.at(began, time.Now())); err != nil && ctx.Err() == nil {
			n.failed(err)
		}
	}
}
