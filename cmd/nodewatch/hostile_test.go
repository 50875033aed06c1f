package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

var hostileMany = flag.Int("hostile-clients", 4000, "how many clients TestHostileClients has")

var hostileRun = flag.Bool("hostile", false,
	"run TestHostileClients: thousands of clients against the daemon as it is shipped, and what it costs")

// The limits that TestHostileClients guarantees.
const (
	shedWithin    = 30 * time.Second
	hostileMemory = 40 // maximum additional memory for the clients, in MiB
	answersWithin = time.Second
)

// TestHostileClients simulates thousands of clients that would block a careless
// server. It measures how long a scrape and a health check take for others, the cost
// of the clients, and when they are disconnected. It prints a table row for each
// case.
func TestHostileClients(t *testing.T) {
	if !*hostileRun {
		t.Skip("it measures times, so only on request: go test ./cmd/nodewatch -run TestHostileClients -hostile -v")
	}
	args := []string{buildDaemon(t), "run", "--web.listen-address", "127.0.0.1:0"}
	if os.Geteuid() == 0 {
		args = append([]string{"nice", "-n", "-10"}, args...) // same niceness as in the unit
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = io.Discard
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := pageURL.FindString(line)
	d := process(cmd.Process.Pid)
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("ROW | load when it began: %s", load)
	fmt.Println("ROW | what clients do | shed after | costs | slowest scrape | slowest health check")
	for _, c := range []struct {
		clients    int
		name, text string
	}{
		{*hostileMany, "announce a body that never comes", "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"},
		{*hostileMany, "never end their header", "GET /metrics HTTP/1.1\r\nHost: a\r\nX-A: "},
		{*hostileMany, "send nothing", ""},
		{100, "read nothing of what they ask for", strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400)},
	} {
		attack(t, d, url, c.clients, c.name, c.text)
	}
}

// attack connects all clients at once, sends the text, and measures.
func attack(t *testing.T, d process, url string, n int, name, text string) {
	t.Helper()
	rest := d.memory(t, "status", "VmRSS")
	began, over := time.Now(), make(chan struct{})
	address := strings.TrimPrefix(url, "http://")
	var clients, others sync.WaitGroup
	slowest := map[string]time.Duration{}
	var mu sync.Mutex
	for _, path := range []string{"/metrics", "/-/healthy"} {
		others.Go(func() {
			for {
				asked := time.Now()
				resp, err := once().Get(url + path)
				if err != nil {
					t.Errorf("%s, %s: %v", name, path, err)
				} else {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != http.StatusOK && path != "/metrics" {
						t.Errorf("%s, %s: %s", name, path, resp.Status)
					}
				}
				mu.Lock()
				slowest[path] = max(slowest[path], time.Since(asked))
				mu.Unlock()
				select {
				case <-over:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	peak := rest
	others.Go(func() {
		for {
			peak = max(peak, d.memory(t, "status", "VmRSS"))
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	for range n {
		clients.Go(func() {
			c, err := net.DialTimeout("tcp", address, patience)
			if err != nil {
				return // closed before it was complete
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			// A client that reads nothing detects the close when it writes again.
			for strings.Count(text, "GET") > 1 {
				if _, err := c.Write([]byte("\r\n")); err != nil {
					return
				}
				time.Sleep(200 * time.Millisecond)
			}
			_, _ = io.Copy(io.Discard, c)
		})
	}
	clients.Wait()
	took := time.Since(began)
	close(over)
	others.Wait()
	fmt.Printf("ROW | %d %s | %.1f s | %.1f MiB | %d ms | %d ms\n", n, name, took.Seconds(), peak-rest,
		slowest["/metrics"].Milliseconds(), slowest["/-/healthy"].Milliseconds())
	if took > shedWithin || peak-rest > hostileMemory || max(slowest["/metrics"], slowest["/-/healthy"]) > answersWithin {
		t.Errorf("%s: shed after %s, %.1f MiB, slowest answers %v; want at most %s, %d MiB, %s", name, took, peak-rest, slowest, shedWithin,
			hostileMemory, answersWithin)
	}
}
