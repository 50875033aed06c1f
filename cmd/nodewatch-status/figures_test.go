package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	example "github.com/nodewatch/nodewatch/deploy/status"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// The benchmarks of nodewatch-status; docs/performance.md contains the results.
var figuresTime = flag.Duration("figures", 30*time.Second, "how long BenchmarkIntake reports")

const (
	fleetNodes    = 5000
	fleetInterval = 30 * time.Second
)

// oneCore makes spawned hubs run on one core.
func oneCore(b *testing.B) { b.Setenv("GOMAXPROCS", "1") }

// An enrolled is a node with its token.
type enrolled struct{ key, token string }

// enroll creates nodes with tokens.
func enroll(b *testing.B, address config.Address, nodes int) (list []enrolled) {
	b.Helper()
	with(b, address, func(s *store.Store) error {
		return s.Update(b.Context(), func(tx *store.Tx) error {
			for n := range nodes {
				x := enrolled{fmt.Sprintf("rl1/hv%04d", n), store.NewSecret()}
				list = append(list, x)
				if err := tx.IssueToken(b.Context(), x.token, store.Token{Kind: store.NodeToken, Subject: x.key, Created: time.Now(),
					CreatedBy: "benchmark"}); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return list
}

// fleetBody returns the report of a node without trouble: six components and a standing
// risk.
func fleetBody(node string, n int, now time.Time) native.Body {
	since := now.Add(-48 * time.Hour)
	b := native.Body{
		Schema: native.Schema, Node: native.Node{ID: node, Name: strings.TrimPrefix(node, "rl1/"), Site: "rl1"},
		Seq: uint64(now.UnixMilli()), SentAt: now, Interval: 30, TTL: 100,
		Status: report.Operational, Agent: native.Agent{Version: "1.2.3", Boot: "b1", Started: since}, Transitions: []native.Transition{},
	}
	for _, name := range []string{"storage", "network", "guests", "cluster", "host", "nodewatch"} {
		b.Components = append(b.Components, native.Component{ID: name, Status: report.Operational, State: report.Seen, Since: since})
	}
	b.Findings = []report.Finding{{
		Rule: "krbd-shared-fate", Subject: fmt.Sprintf("client%d", n), Component: "storage", Severity: report.Info,
		Impact: report.Operational, State: report.Seen,
		Since: since, LevelSince: since, LastSeen: now,
		Summary:  "78 krbd disks of 65 VMs share one kernel client: a stall of this client affects all of them",
		Evidence: []report.Evidence{{Source: "krbd", Fact: "78 krbd disks are mapped: rbd0, rbd1, rbd2, rbd3, rbd4 and 73 more", At: now}},
		Against:  []report.Evidence{}, Advice: []report.Advice{{Do: "Move guests to librbd", Command: "virsh dumpxml vm101"}},
	}}
	return b
}

// send sends one report and returns the status and the duration of the response.
func (x enrolled) send(ctx context.Context, client *http.Client, hub string, n int) (status int, took time.Duration) {
	body := fleetBody(x.key, n, time.Now().UTC())
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, 0
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, hub+"v1/report", bytes.NewReader(raw))
	if err != nil {
		return 0, 0
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+x.token)
	q.Header.Set("Idempotency-Key", receiver.Key(body))
	begin := time.Now()
	a, err := client.Do(q)
	if err != nil {
		return 0, time.Since(begin)
	}
	_, _ = io.Copy(io.Discard, a.Body) // only the status is needed
	_ = a.Body.Close()
	return a.StatusCode, time.Since(begin)
}

// connected returns a client that keeps its connections.
func connected() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
}

// each calls f for every node from several goroutines.
func each(nodes []enrolled, f func(n int, x enrolled)) {
	var all sync.WaitGroup
	next := atomic.Int64{}
	for range 64 {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(nodes); n = int(next.Add(1)) - 1 {
				f(n, nodes[n])
			}
		})
	}
	all.Wait()
}

// ofProcess returns a figure of /proc/PID/status in MiB.
func (p *process) ofProcess(b *testing.B, field string) float64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), field+":")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1024
}

// cpu returns the CPU time that the hub has used.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, _ := strconv.Atoi(fields[11]) // written by the kernel, always a number
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// timed requests a page and returns the duration and the size in bytes.
func timed(b *testing.B, url string) (took time.Duration, size int) {
	b.Helper()
	begin := time.Now()
	body := get(b, url)
	return time.Since(begin), len(body)
}

func size(b *testing.B, file string) float64 {
	b.Helper()
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size()) / (1 << 20)
}

func quantile(list []time.Duration, q float64) float64 {
	return float64(list[int(q*float64(len(list)-1))].Microseconds()) / 1000
}

// 5,000 nodes with six components each report every 30 s to a hub on one core with SQLite,
// while a reader reads the database continuously, in transactions nearly as long as the
// hub's may be, and the pages are requested.
func BenchmarkIntake(b *testing.B) {
	oneCore(b)
	database := filepath.Join(b.TempDir(), "status.db")
	file := hubOn(b, "sqlite:"+database)
	nodes := enroll(b, parsed(b, "sqlite:"+database), fleetNodes)
	hub := spawn(b, file)
	client := connected()
	each(nodes, func(n int, x enrolled) { x.send(b.Context(), client, hub.intake, n) }) // register every node
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), *figuresTime)
		var (
			mu      sync.Mutex
			answers []time.Duration
			refused int
			all     sync.WaitGroup
		)
		wal, before := 0.0, hub.cpu(b)
		all.Go(func() {
			with(b, parsed(b, "sqlite:"+database), func(s *store.Store) error {
				for ctx.Err() == nil {
					if err := s.View(b.Context(), func(tx *store.Tx) error { // one transaction, so that the log cannot be truncated
						long, cancel := context.WithTimeout(ctx, store.ReadTimeout*3/4)
						defer cancel()
						for long.Err() == nil {
							if _, err := tx.Nodes(long); err != nil && long.Err() == nil {
								return err
							}
							wal = max(wal, size(b, database+"-wal"))
							select {
							case <-long.Done():
							case <-time.After(2 * time.Second):
							}
						}
						return nil
					}); err != nil {
						return err
					}
				}
				return nil
			})
		})
		tick := time.NewTicker(fleetInterval / fleetNodes)
		for n := 0; ctx.Err() == nil; n++ {
			select {
			case <-ctx.Done():
				continue
			case <-tick.C:
			}
			all.Go(func() {
				status, took := nodes[n%fleetNodes].send(b.Context(), client, hub.intake, n)
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, took)
				if status != http.StatusOK {
					refused++
				}
			})
		}
		tick.Stop()
		all.Wait()
		cancel()
		slices.Sort(answers)
		fleet, fleetSize := timed(b, hub.operators)
		public, publicSize := timed(b, hub.public)
		b.ReportMetric(float64(len(answers)), "reports")
		b.ReportMetric(float64(refused), "refused")
		b.ReportMetric(quantile(answers, 0.5), "ms_p50")
		b.ReportMetric(quantile(answers, 0.99), "ms_p99")
		b.ReportMetric(100*(hub.cpu(b)-before).Seconds()/figuresTime.Seconds(), "%core")
		b.ReportMetric(hub.ofProcess(b, "VmHWM"), "MiB_RSS")
		b.ReportMetric(wal, "MiB_WAL")
		b.ReportMetric(fleet.Seconds()*1000, "ms_fleet_page")
		b.ReportMetric(float64(fleetSize)/1000, "kB_fleet_page")
		b.ReportMetric(public.Seconds()*1000, "ms_page_2")
		b.ReportMetric(float64(publicSize)/1000, "kB_page_2")
		b.ReportMetric(0, "ns/op")
	}
}

// The public page of the example, with 60 components and 90 days of history: requests per
// second on one core, and the cost of building it.
func BenchmarkPublicPage(b *testing.B) {
	oneCore(b)
	file := filepath.Join(b.TempDir(), "status.yml")
	database := "sqlite:" + filepath.Join(b.TempDir(), "status.db")
	text := string(example.Configuration)
	for _, x := range [][2]string{{"127.0.0.1:10091", "127.0.0.1:0"}, {"127.0.0.1:10092", "127.0.0.1:0"},
		{"127.0.0.1:10093", "127.0.0.1:0"}, {"sqlite:/var/lib/nodewatch-status/status.db", database}} {
		text = strings.Replace(text, x[0], x[1], 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	c, err := config.Parse(file, []byte(text))
	if err != nil {
		b.Fatal(err)
	}
	d := &demo{config: c, began: time.Now()}
	with(b, parsed(b, database), func(s *store.Store) error {
		d.store = s
		return d.history(b.Context())
	})
	hub := spawn(b, file)
	client := connected()
	var requests atomic.Int64
	before, began := hub.cpu(b), time.Now()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a, err := client.Get(hub.public)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, a.Body) // as fast as possible
			_ = a.Body.Close()
			requests.Add(1)
		}
	})
	used := hub.cpu(b) - before
	b.ReportMetric(float64(requests.Load())/time.Since(began).Seconds(), "requests/s")
	b.ReportMetric(float64(requests.Load())/used.Seconds(), "requests/core_s")
	var list []time.Duration
	bytes := 0
	for range 20 {
		took, n := timed(b, hub.public)
		list, bytes = append(list, took), n
	}
	slices.Sort(list)
	b.ReportMetric(quantile(list, 0.5), "ms_page")
	b.ReportMetric(float64(bytes)/1000, "kB_page")
}

// Disk space for 90 days of 5,000 nodes, where each node has trouble of two components
// once a week, with two transitions each.
func BenchmarkDisk(b *testing.B) {
	for b.Loop() {
		database := filepath.Join(b.TempDir(), fmt.Sprintf("status%d.db", b.N))
		begin := time.Now().Add(-90 * day)
		with(b, config.Address{Path: database, NoSync: true}, func(s *store.Store) error {
			for first := 0; first < fleetNodes; first += 100 {
				if err := s.Update(b.Context(), func(tx *store.Tx) error {
					for n := first; n < first+100; n++ {
						if err := ninetyDays(b.Context(), tx, n, begin); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					return err
				}
			}
			_, err := s.Checkpoint(b.Context())
			return err
		})
		b.ReportMetric(size(b, database), "MiB")
	}
}

// ninetyDays writes the record of a node.
func ninetyDays(ctx context.Context, tx *store.Tx, n int, begin time.Time) error {
	node := fmt.Sprintf("rl1/hv%04d", n)
	id, err := tx.SaveBody(ctx, fleetBody(node, n, time.Now().UTC()), time.Now())
	if err != nil {
		return err
	}
	for k, name := range []string{"storage", "network", "guests", "cluster", "host", "nodewatch"} {
		signal, err := tx.Signal(ctx, store.Key{Kind: store.OfNode, Owner: node, Name: name}, store.Signal{})
		if err != nil {
			return err
		}
		line := uptime.Timeline{{At: begin, State: report.Operational}}
		for week := 0; week < 13 && k < 2; week++ {
			at := begin.Add(time.Duration(week)*7*day + time.Duration(n)*time.Minute)
			line = append(line, uptime.Change{At: at, State: report.DegradedPerformance, Reason: "nic-saturated"},
				uptime.Change{At: at.Add(10 * time.Minute), State: report.Operational})
			for m, to := range []report.Severity{report.Warning, report.Clear} {
				if _, err := tx.AddTransition(ctx, id, native.Transition{ID: fmt.Sprintf("%d-%d-%d", k, week, m), Run: begin,
					Transition: report.Transition{
						N: uint64(week*4 + k*2 + m + 1), At: at.Add(time.Duration(m) * 10 * time.Minute), Rule: "nic-saturated",
						Subject: "eth0", Component: report.ComponentName(name), From: report.Clear, To: to,
						Impact: report.DegradedPerformance, Summary: "eth0 (10 Gbit/s) receives 9.8 Gbit/s: saturated for 3 min 10 s",
					}}, at); err != nil {
					return err
				}
			}
		}
		if err := tx.Rewrite(ctx, signal, begin, line); err != nil {
			return err
		}
	}
	return nil
}
