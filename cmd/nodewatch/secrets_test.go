package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// A backend returns, as its error message, everything that it received. No reporter
// passes a secret from there on to its state, which is shown in metrics, on the page,
// in findings and in the log.
func TestNobodyReadsASecret(t *testing.T) {
	const secret = "k9k9k9k9k9k9k9k9k9k9k9k9k9k9k9k9"
	url := reporttest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, "%s %s %v %s", r.Method, r.RequestURI, r.Header, body)
	})
	token := reporttest.Secret(t, secret)
	lines := strings.Split(fmt.Sprintf(hostile, url, token), "\n")
	lines = append(lines[:len(lines)-2], fmt.Sprintf("  - {name: h-slack, webhook: {preset: slack, url_file: %q}}",
		slackFile(t, url, secret)))
	file, _ := configured(t, "reporters:"+strings.Join(lines, "\n")+"\n")
	post, _ := posted(t, file)
	post.Enqueue(stormy(time.Now(), 1))
	post.Settle(time.Minute)
	v := judge.View{Report: stormy(time.Now(), 1)}
	v.Now, v.Deliveries = time.Now(), node.Reading[[]node.Delivery]{Value: post.State()}
	for _, d := range post.State() {
		if d.Error == "" {
			t.Errorf("%s does not say what is wrong: %+v", d.Name, d)
		}
	}
	html, err := page.Main(v)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"account": fmt.Sprintf("%+v", post.State()), "page": string(html),
		"summary": page.Text(v, page.Style{})} {
		if strings.Contains(text, secret) {
			t.Errorf("the %s shows the secret:\n%s", what, text)
		}
	}
	code, out, errs := called(t, "report", "test", "--config.file", file)
	if code != 2 || strings.Contains(out+errs, secret) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs = called(t, "check-config", file); code != 0 || out != file+" is valid\n" || errs != "" {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// slackFile writes a file with an address that is itself the secret.
func slackFile(t *testing.T, url, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(url+"/services/"+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Each file with a secret is refused if others can write it, and used with a warning
// if all users can read it, whatever reads it.
func TestFilesWithSecretsMustBeSafe(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	put(t, filepath.Join(dir, "web.yml"), withTLS+passwords)
	for _, name := range []string{"token", "header", "sign", "keyring"} {
		put(t, filepath.Join(dir, name), "s3cret\n")
	}
	config := filepath.Join(dir, "nodewatch.yml")
	put(t, config, strings.ReplaceAll(`
web: {config_file: DIR/web.yml}
ceph: {keyring: DIR/keyring}
reporters:
  - name: hook
    webhook: {preset: json, url: "http://127.0.0.1:1", token_file: DIR/token, header_files: {X-Auth: DIR/header}, sign_key_file: DIR/sign}
    tls: {cert_file: DIR/node.pem, key_file: DIR/node.key}
`, "DIR", dir))
	if code, _, errs := called(t, "check-config", config); code != exitOK || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, name := range []string{"web.yml", "node.key", "keyring", "token", "header", "sign"} {
		file := filepath.Join(dir, name)
		for mode, says := range map[os.FileMode]string{0o604: file + " can be read by all users",
			0o602: file + " can be written by others"} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			code, _, errs := called(t, "check-config", config)
			refused := mode == 0o602 && (name == "web.yml" || name == "node.key") // with the other files the daemon starts
			if !strings.Contains(errs, says) || (code != exitOK) != refused {
				t.Errorf("%s with mode %04o: exit %d, %s", name, mode, code, errs)
			}
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "ring"), "")
	if err := os.Chmod(filepath.Join(dir, "ring"), 0o622); err != nil {
		t.Fatal(err)
	}
	child := &cephChild{view: func() (judge.View, bool) { return judge.View{}, false }}
	child.Child, child.Keyring = "/bin/true", filepath.Join(dir, "ring")
	if _, err := child.read(t.Context()); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("a keyring that others can write: %v", err)
	}
}
