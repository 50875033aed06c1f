package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// signedIn returns the client of an operator who has signed in.
func signedIn(t *testing.T, operators, name, password string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: patience}
	a, err := c.PostForm(operators+"login", url.Values{"name": {name}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close() // only the cookie is needed
	if a.StatusCode != http.StatusOK || a.Request.URL.Path != "/" {
		t.Fatalf("signing in leads to %s: %s", a.Request.URL, a.Status)
	}
	return c
}

// The demo is a fleet with a history, in which one node's incident arrives by the
// protocol; it leaves no data behind.
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
	public, operators, password := "", "", ""
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "34 nodes report") {
		if url, is := strings.CutPrefix(lines.Text(), "public page: "); is {
			public = url
		}
		if url, is := strings.CutPrefix(lines.Text(), "operators' page: "); is {
			operators = url
		}
		if secret, is := strings.CutPrefix(lines.Text(), "Sign in to the operators' page as demo with the password "); is {
			password = secret
		}
	}
	if public == "" || operators == "" || password == "" {
		t.Fatalf("it has ended: %d %s", <-code, errs.String())
	}
	go func() { _, _ = io.Copy(io.Discard, said) }() // until the demo ends
	page := eventually(t, public, `(?s)id="rl1-ipv6">.{0,1000}99\.9`)
	if n := strings.Count(page, `<li id="`); n != 60 {
		t.Errorf("%d components", n)
	}
	eventually(t, public, `(?s)id="rl1-node2">.{0,200}Major outage`)
	if got := get(t, operators); !strings.Contains(got, "Sign in") || strings.Contains(got, "krbd") {
		t.Errorf("without signing in:\n%s", got)
	}
	operator := signedIn(t, operators, "demo", password)
	for _, path := range []string{"", "incidents", "tokens"} { // the operator has all rights
		a, err := operator.Get(operators + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		_ = a.Body.Close() // the body has been read completely
		if err != nil || a.StatusCode != http.StatusOK || path == "" && !strings.Contains(string(body), "krbd") {
			t.Errorf("/%s: %s %v\n%s", path, a.Status, err, body)
		}
	}
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
