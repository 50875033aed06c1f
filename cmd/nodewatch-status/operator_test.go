package main

import (
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// passwordFile returns a file that contains a text.
func passwordFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every mistake in the operator commands is reported in one line, and changes
// nothing.
func TestOperatorMistakes(t *testing.T) {
	file := configured(t, onePage)
	good := passwordFile(t, "correct horse battery\n")
	if code, out, errs := called(t, "operator", "add", "kim", "--password-file", good, "--config.file", file); code != exitOK || out != "" {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"add"}, exitUsage, "required argument 'name'"},
		{[]string{"add", "lee"}, exitUsage, "no terminal to read the password from; use --password-file"},
		{[]string{"add", "lee", "--password-file", "/no/such/file"}, exitUsage, "no such file"},
		{[]string{"add", "lee", "--password-file", passwordFile(t, "short\ncorrect horse battery")}, exitUsage, "10 to 256 bytes"},
		{[]string{"add", "lee", "--password-file", passwordFile(t, strings.Repeat("x", 10000))}, exitUsage, "10 to 256 bytes"},
		{[]string{"add", "lee", "--password-file", passwordFile(t, "")}, exitUsage, "10 to 256 bytes"},
		{[]string{"add", "lee", "--password-file", t.TempDir()}, exitUsage, "is a directory"},
		{[]string{"add", "lee", "--role", "root", "--no-password"}, exitUsage, "viewer,operator,admin"},
		{[]string{"add", "lee lee", "--no-password"}, exitUsage, "1 to 64 letters, digits"},
		{[]string{"add", "-- ", "--no-password"}, exitUsage, ""},
		{[]string{"add", strings.Repeat("x", 65), "--no-password"}, exitUsage, "1 to 64 letters, digits"},
		{[]string{"add", "kim", "--no-password"}, exitFailure, "operator kim already exists"},
		{[]string{"passwd", "kim"}, exitUsage, "no terminal"},
		{[]string{"passwd", "lee", "--password-file", good}, exitFailure, "no operator lee; see nodewatch-status operator list"},
		{[]string{"remove", "lee"}, exitFailure, "no operator lee; see nodewatch-status operator list"},
		{[]string{"dismiss", "kim"}, exitUsage, "expected command"},
	} {
		code, out, errs := called(t, append(append([]string{"operator"}, c.args...), "--config.file", file)...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: exit %d, %q%q, want %d with %q in a line", c.args, code, out, errs, c.code, c.want)
		}
	}
	if _, out, _ := called(t, "operator", "list", "--config.file", file); strings.Count(out, "\n") != 2 ||
		!strings.Contains(out, "kim   viewer") {
		t.Errorf("the mistakes have left something behind:\n%s", out)
	}
}

// An operator added by a command can sign in, with the first line of the file, until
// the password is changed or the operator removed.
func TestOperatorCommands(t *testing.T) {
	file := configured(t, onePage)
	run := func(args ...string) string {
		t.Helper()
		code, out, errs := called(t, append(append([]string{"operator"}, args...), "--config.file", file)...)
		if code != exitOK {
			t.Fatalf("%q: exit %d: %s", args, code, errs)
		}
		return out
	}
	run("add", "kim", "--role", "admin", "--password-file", passwordFile(t, "correct horse battery\r\nsecond line"))
	run("add", "lee@example.org", "--no-password")
	if out := run("list"); !strings.Contains(out, "reverse proxy") || !strings.Contains(out, "admin") || strings.Contains(out, "argon2") {
		t.Error(out)
	}
	h := start(t, file)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar, Timeout: patience}
	signIn := func(name, password string) int {
		t.Helper()
		a, err := browser.PostForm(h.operators+"login", url.Values{"name": {name}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close() // only the status is needed
		return a.StatusCode
	}
	audit := func() string {
		t.Helper()
		a, err := browser.Get(h.operators + "audit")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = a.Body.Close() }() // the body has been read completely
		var b bytes.Buffer
		if _, err := b.ReadFrom(a.Body); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if code := signIn("lee@example.org", ""); code != http.StatusUnauthorized {
		t.Errorf("without a password: %d", code)
	}
	if code := signIn("kim", "correct horse battery"); code != http.StatusOK {
		t.Errorf("the first line: %d", code)
	}
	run("remove", "lee@example.org")
	for _, want := range []string{"operator.add", "operator.remove", "lee@example.org", "cli", "operator.sign-in-failed"} {
		if page := audit(); !strings.Contains(page, want) || strings.Contains(page, "correct horse") {
			t.Errorf("the audit log does not say %s, or a password:\n%s", want, page)
		}
	}
	run("passwd", "kim", "--password-file", passwordFile(t, "another horse battery"))
	if page := audit(); strings.Contains(page, "operator.add") {
		t.Error("another password does not end the session")
	}
	if old, code := signIn("kim", "correct horse battery"), signIn("kim", "another horse battery"); old != http.StatusUnauthorized ||
		code != http.StatusOK {
		t.Errorf("the old password: %d, the new one: %d", old, code)
	}
	run("remove", "kim")
	if page := audit(); strings.Contains(page, "operator.passwd") {
		t.Errorf("who was removed reads on:\n%s", page)
	}
	if code := signIn("kim", "another horse battery"); code != http.StatusUnauthorized {
		t.Errorf("who was removed signs in: %d", code)
	}
	eventually(t, h.operators+"metrics", `(?s)nodewatch_status_sign_ins_total\{result="failed"\} 3\n.*result="succeeded"\} 2\n`)
}
