package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The examples of the API in the documentation work as described.
func TestTheDocumentedAPI(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	raw, err := os.ReadFile("../../docs/status-backend.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh api\n(.*?)```").FindAllStringSubmatch(string(raw), -1)
	if len(blocks) == 0 {
		t.Fatal("there is none")
	}
	file := configured(t, onePage)
	code, token, errs := called(t, "token", "create", "--kind", "api", "--label", "deploy", "operator", "--config.file", file)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	h := start(t, file)
	ref, all := "", ""
	for _, b := range blocks {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		script := strings.ReplaceAll(b[1], "https://hub.example.org/", h.operators)
		sh := exec.CommandContext(ctx, "sh", "-euc", "curl() { command curl --fail-with-body \"$@\"; }\n"+script)
		sh.Env = append(os.Environ(), "TOKEN="+strings.TrimSpace(token), "REF="+ref, "no_proxy=*")
		out, err := sh.CombinedOutput()
		if err != nil {
			t.Fatalf("%s%s: %v", b[1], out, err)
		}
		var made struct{ Ref string }
		if err := json.Unmarshal(out, &made); err != nil {
			t.Fatalf("%s%s: %v", b[1], out, err)
		}
		if made.Ref != "" {
			ref = made.Ref
		}
		all += string(out)
	}
	for _, want := range []string{`"title":"Storage on Node 2 is slow"`, `"status":"resolved"`, "## Timeline", `"title":"New switches"`,
		"api:deploy"} {
		if !strings.Contains(all, want) {
			t.Errorf("the answers do not have %s:\n%s", want, all)
		}
	}
	eventually(t, h.public, "New switches")
}
