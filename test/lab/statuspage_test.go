//go:build lab

package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// The hub's listeners, on the host's side of the storage network.
const (
	hubPublic    = storageIP + ":10091"
	hubOperators = storageIP + ":10092"
	hubIntake    = storageIP + ":10093"
)

// The header in which a proxy would name the authenticated operator. This test acts
// as that proxy.
const hubOperator = "X-Remote-User"

// hub starts nodewatch-status on the other side of the storage network, with an
// operator, kim, and a token for the guest, which it returns.
func (l *Lab) hub() (token string) {
	l.t.Helper()
	conf := filepath.Join(l.dir, "status.yml")
	text := fmt.Sprintf("public: {listen: [%q]}\noperators: {listen: [%q], trusted_proxy: {header: %s, from: [%q]}}\nintake: {listen: [%q]}\ndatabase: {address: %q}\ngroups: [{id: lab, name: Lab, components: [{id: guest, name: The guest, node: lab/guest}]}]\n",
		hubPublic, hubOperators, hubOperator, storageIP, hubIntake, "sqlite:"+filepath.Join(l.t.TempDir(), "status.db"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	program := filepath.Join(l.bin, "nodewatch-status")
	out, err := l.children.Output(l.ctx, program, "token", "create", "lab/guest", "--config.file", conf)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.children.Output(l.ctx, program, "operator", "add", "kim", "--role", "viewer", "--no-password", "--config.file",
		conf); err != nil {
		l.t.Fatal(err)
	}
	child, err := l.children.Start("nodewatch-status", program, "run", "--config.file", conf)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(child.Kill)
	return strings.TrimSpace(string(out))
}

// shows waits until a page of the hub matches. It is requested on the host's side,
// where no frame is damaged.
func (l *Lab) shows(within time.Duration, address, match string) {
	l.t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, address string) (c net.Conn, err error) {
			err = l.children.Within(func() error { // a socket belongs to the namespace in which it is created
				c, err = net.DialTimeout(network, address, 5*time.Second)
				return err
			})
			return c, err
		}}}
	want, last := regexp.MustCompile(match), ""
	err := wait(l.ctx, within, func() (bool, error) {
		request, err := http.NewRequestWithContext(l.ctx, http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			return false, err
		}
		request.Header.Set(hubOperator, "kim")
		answer, err := client.Do(request)
		if err != nil {
			last = err.Error()
			return false, nil // it starts
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		last = string(body)
		return want.MatchString(last), err
	})
	if err != nil {
		l.t.Fatalf("%s never shows %s: %v\n%s", address, match, err, last)
	}
}

// Events on a real kernel reach the status page: a storm in the guest is a major outage for
// customers, without the cause, and a finding for operators; its end is shown to both. The
// reports use the network that the storm affects.
func TestStormOnTheStatusPage(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.sh("mkdir -p /run/nodewatch-state")
	l.put("/run/status.token", l.hub())
	l.configured(fmt.Sprintf("node: guest\nsite: lab\nstate_directory: /run/nodewatch-state\nreporters: [{name: status, every: 10s, native: {url: \"http://%s\", token_file: /run/status.token}}]\n", hubIntake))
	device := l.mapImages(1, msgr1)[0]
	l.until(15*time.Second, "krbd is seen", func(Report) bool { v, ok := l.metric("nodewatch_krbd_devices"); return ok && v == 1 })
	l.shows(30*time.Second, hubPublic, `(?s)id="guest".{0,400}Operational`)
	l.damage(ethswitch.Damage{Every: 1, Least: 1000})
	l.readAll(device)
	l.until(15*time.Second, "the storm is told", func(r Report) bool { return r.raised("krbd-retry-storm", "critical") })
	reported := time.Now()
	l.shows(15*time.Second, hubPublic, `(?s)id="guest".{0,400}Major outage`)
	l.figure("on the status page", time.Since(reported), 10*time.Second)
	l.shows(15*time.Second, hubOperators, `(?s)lab/guest.*krbd retry storm`)
	l.damage(ethswitch.Damage{})
	l.readsOn()
	l.shows(90*time.Second, hubPublic, `(?s)id="guest".{0,400}Operational`)
}
