package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/ceph"
)

var update = flag.Bool("update", false, "write the golden files")

func TestParseArgs(t *testing.T) {
	whole := ceph.Request{
		Conf: "c", MonHost: "m", Cluster: "blue", Name: "client.x", Keyring: "k", Timeout: 4 * time.Second,
		Images: []ceph.Image{{Pool: "vms", Name: "a"}, {Pool: "vms", Namespace: "n", Name: "b"}},
		Addrs:  []string{"192.0.2.7", "2001:db8::7"},
	}
	asJSON, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	usual := ceph.Request{Cluster: "ceph", Name: "client.nodewatch", Timeout: ceph.DefaultTimeout}
	byID := usual
	byID.Name = "client.y"
	tests := []struct {
		args  string
		stdin string
		want  ceph.Request
	}{
		{"", "", usual},
		{"--id y", "", byID},
		{"--stdin", "{}", usual},
		{"--stdin", string(asJSON), whole},
		{"--conf c --mon-host m --cluster blue --name client.x --keyring k --timeout 4s --image vms/a --image vms/n/b --addr 192.0.2.7 --addr 2001:db8::7", "", whole},
	}
	for _, tt := range tests {
		got, err := parseArgs(strings.Fields(tt.args), strings.NewReader(tt.stdin))
		if err != nil {
			t.Fatalf("%s: %v", tt.args, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestRunUsage(t *testing.T) {
	tests := []struct{ args, stdin, want string }{
		{"extra", "", `unexpected argument "extra"`},
		{"--key secret", "", "not defined: -key"},
		{"--image vms", "", "not POOL/IMAGE"},
		{"--addr node2", "", "not an address"},
		{"--timeout 1h", "", "not within"},
		{"--timeout x", "", "invalid value"},
		{"--name nodewatch", "", "must have the form client.nodewatch"},
		{"--stdin --conf c", "{}", "--stdin excludes all other flags"},
		{"--stdin", `{"conf":1}`, "cannot unmarshal"},
		{"--stdin", strings.Repeat(" ", ceph.MaxRequest+5), "more than 32768 bytes"},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(tt.args), strings.NewReader(tt.stdin), &stdout, &stderr)
		line := stderr.String()
		if code != ceph.ExitUsage || stdout.Len() > 0 || strings.Count(line, "\n") != 1 ||
			!strings.HasPrefix(line, "nodewatch-ceph: ") || !strings.Contains(line, tt.want) {
			t.Errorf("%s: want exit code 2 and a line with %q, got %d and %q", tt.args, tt.want, code, line)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"--help"}, nil, &stdout, &stderr); code != ceph.ExitOK || stderr.Len() > 0 {
		t.Errorf("exit code %d, standard error %q", code, &stderr)
	}
	const golden = "testdata/help.golden"
	if *update {
		if err := os.WriteFile(golden, stdout.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
		t.Errorf("help (-want +got):\n%s", diff)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestPrintDocument(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := printDocument(ceph.Cluster{FSID: "f"}, &stdout, &stderr); code != ceph.ExitOK || stderr.Len() > 0 {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
	if c, err := ceph.Parse(stdout.Bytes()); err != nil || c.FSID != "f" {
		t.Errorf("the document is not what the daemon reads: %+v, %v", c, err)
	}
	if code := printDocument(ceph.Cluster{}, broken{}, &stderr); code != ceph.ExitFailed ||
		stderr.String() != "nodewatch-ceph: broken pipe\n" {
		t.Errorf("want the error of the pipe, got %d, %q", code, &stderr)
	}
	stdout.Reset()
	if code := printDocument(ceph.Cluster{FSID: strings.Repeat("f", ceph.MaxDocument)}, &stdout, &stderr); code != ceph.ExitFailed ||
		stdout.Len() > 0 {
		t.Errorf("want no document that the daemon would refuse, got %d, %d bytes", code, stdout.Len())
	}
}

// The alarm prints how far the process got and ends it, even if the line cannot be
// written; a stopped alarm does neither.
func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		var codes []int
		a := setAlarm(time.Second, &stderr, func(code int) { codes = append(codes, code) })
		a.reach("connect")
		time.Sleep(time.Second)
		synctest.Wait()
		if len(codes) != 1 || codes[0] != ceph.ExitAlarm || stderr.String() != "nodewatch-ceph: timed out after 1s, during: connect\n" {
			t.Errorf("got %d, %q", codes, &stderr)
		}
	})
}

// full is a pipe without a reader.
type full chan struct{}

func (f full) Write(b []byte) (int, error) { <-f; return len(b), nil }

func TestAlarmFullPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := make(full)
		defer close(pipe)
		ended := make(chan int, 2)
		setAlarm(time.Second, pipe, func(code int) { ended <- code })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(ended) != 1 || <-ended != ceph.ExitAlarm {
			t.Error("the process lives on")
		}
	})
}

func TestAlarmStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := setAlarm(time.Second, broken{}, func(int) { t.Error("ended after its end") })
		a.stop()
		time.Sleep(time.Minute)
	})
}
