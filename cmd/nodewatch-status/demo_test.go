package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// The demo is a fleet with its past, in which the incident of one node arrives by the
// protocol; nothing of it stays.
func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, out := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, []string{"demo", "--port", "0", "--speed", "40"}, strings.NewReader(""), out, &errs)
		_ = out.Close() // never fails
	}()
	public, operators := "", ""
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "34 nodes report") {
		if url, is := strings.CutPrefix(lines.Text(), "public page: "); is {
			public = url
		}
		if url, is := strings.CutPrefix(lines.Text(), "operators' page: "); is {
			operators = url
		}
	}
	if public == "" || operators == "" {
		t.Fatalf("it has ended: %d %s", <-code, errs.String())
	}
	go func() { _, _ = io.Copy(io.Discard, said) }() // until it ends
	page := eventually(t, public, `(?s)id="rl1-ipv6">.{0,1000}99\.9`)
	if n := strings.Count(page, `<li id="`); n != 60 {
		t.Errorf("%d components", n)
	}
	eventually(t, public, `(?s)id="rl1-node2">.{0,200}Major outage`)
	eventually(t, operators, `rl1/node2.*krbd`)
	stop()
	select {
	case c := <-code:
		if c != exitOK || errs.Len() > 0 {
			t.Errorf("exit %d: %s", c, errs.String())
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if code, _, errs := called(t, "demo", "--speed", "0"); code != exitUsage || !strings.Contains(errs, "1 to 100") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
