package main

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/page"
)

// If an address is given, only that address is queried.
func TestAnAddressThatIsGivenIsTheOnlyOne(t *testing.T) {
	url := "http://" + free(t)
	for output, want := range map[string]string{"text": "connection refused", "json": `{"error":`,
		"nagios": "NODEWATCH UNKNOWN - " + url + ": "} {
		code, out, errs := called(t, "check", "--url", url, "-o", output)
		if code != exitUnknown || !strings.Contains(out+errs, want) || strings.Count(out+errs, "\n") != 1 {
			t.Errorf("%s: exit %d\n%s%s", output, code, out, errs)
		}
	}
	for _, wrong := range []string{"127.0.0.1:10090", "ftp://127.0.0.1", "http://", "http://a/?b"} {
		if code, out, errs := called(t, "check", "--url", wrong); code != exitUnknown || !strings.Contains(errs, "--url: is not a URL") {
			t.Errorf("%s: exit %d\n%s%s", wrong, code, out, errs)
		}
	}
	if code, _, errs := called(t, "check", "--url", url, "--one-shot"); code != exitCritical ||
		!strings.Contains(errs, "exclude each other") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestTimeoutsAreSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{"10": 10 * time.Second, "1.5": 1500 * time.Millisecond, "1m": time.Minute,
		"250ms": 250 * time.Millisecond, "0": 0, "-3": 0, "soon": 0, "": 0, "2h": 0, "NaN": 0, "1e9": 0} {
		var s seconds
		err := s.Set(text)
		if time.Duration(s) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %s, %v; want %s", text, time.Duration(s), err, want)
		}
	}
	if code, _, errs := called(t, "check", "-t", "10", "--url", "http://"+free(t)); code != exitUnknown ||
		!strings.Contains(errs, "refused") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// patiently runs a command that queries the daemon, which may be slow on a busy
// machine.
func patiently(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	return called(t, append(args, "--timeout", patience.String())...)
}

// A page with a certificate of a private authority can be queried if that authority
// is given, and not otherwise.
func TestCheckTrustsAPrivateAuthority(t *testing.T) {
	body, err := page.JSON(viewNamed("node9").Report)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, jsonText, body) }))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	put(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	if code, out, errs := patiently(t, "check", "--url", s.URL, "--ca-file", ca); code != exitOK || !strings.Contains(out, "node9: OK") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := patiently(t, "check", "--url", s.URL); code != exitUnknown || !strings.Contains(errs, "--ca-file") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	put(t, ca, "rubbish")
	if code, _, errs := patiently(t, "check", "--url", s.URL, "--ca-file", ca); code != exitUnknown ||
		!strings.Contains(errs, "contains no PEM certificate") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// Commands find the daemon wherever it listens: by its socket, which requires no
// password, or by the address in its presence file.
func TestCommandsFindTheDaemon(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", dir)
	file, secured := filepath.Join(dir, "nodewatch.yml"), filepath.Join(dir, "web.yml")
	put(t, secured, passwords)
	put(t, file, "node: node7\nstate_directory: "+state+"\nrules: {kmsg-lost: {off: true}}\nweb: {config_file: "+secured+"}\n")
	url := listening(t, "--config.file", file)
	socket, left := filepath.Join(dir, socketName), filepath.Join(dir, presenceName)
	for _, name := range []string{socket, left} {
		exists(t, name)
	}
	if code, out, errs := patiently(t, "check"); !strings.Contains(out, "node7: ") || strings.Contains(out, "one-shot") {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	for name, mode := range map[string]os.FileMode{socket: 0o660, left: 0o644} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	raw, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	var p presence
	if err := json.Unmarshal(raw, &p); err != nil || p.PID != os.Getpid() || len(p.Addresses) != 1 || p.Addresses[0] != url+"/" ||
		p.State != state || p.Config != file {
		t.Errorf("%v: %s", err, raw)
	}

	// Overrides are written to the daemon's state directory, and its effective rules
	// are shown.
	if code, out, errs := called(t, "maintenance", "start", "--for", "1h", "--reason", "new NIC"); !strings.Contains(out, "new NIC") ||
		(code != exitOK || !strings.Contains(out, "The daemon has applied it.")) &&
			(code != exitWarning || !strings.Contains(errs, "did not apply it within")) { // this happens on a busy machine
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	for late := time.Now().Add(patience); ; {
		_, out, errs := patiently(t, "silences")
		if strings.Contains(out, "Maintenance until ") {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("the daemon never applies it: %s%s", out, errs)
		}
	}
	for command, want := range map[string]string{"sources": "\nbond ", "rules": "\nkmsg-lost ", "silences": "Maintenance until "} {
		if code, out, errs := patiently(t, command); code != exitOK || !strings.Contains(out, want) || errs != "" {
			t.Errorf("%s: exit %d\n%s%s", command, code, out, errs)
		}
		var list struct{ Node string }
		if code, out, errs := patiently(t, command, "-o", "json"); code != exitOK || json.Unmarshal([]byte(out), &list) != nil ||
			list.Node != "node7" {
			t.Errorf("%s: exit %d\n%s%s", command, code, out, errs)
		}
	}
	if code, out, errs := patiently(t, "sources", "kmsg"); code != exitOK || !strings.Contains(out, "/dev/kmsg") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if entries, err := os.ReadDir(state); err != nil || len(entries) == 0 {
		t.Errorf("nothing is in the state directory: %v", err)
	}
	if code, _, errs := patiently(t, "rules", "kmsg-lost"); code != exitCritical || !strings.Contains(errs, "kmsg-lost") {
		t.Errorf("a rule that the daemon has switched off is in force: exit %d: %s", code, errs)
	}

	// Without the socket, the address is queried; here it requires a password.
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := patiently(t, "check"); code != exitUnknown || !strings.Contains(errs, url+" requires a password") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// exists waits until the file is there.
func exists(t *testing.T, name string) {
	t.Helper()
	for late := time.After(patience); ; {
		if _, err := os.Lstat(name); err == nil {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			t.Fatalf("%s never comes", name)
		}
	}
}

// A file that another user may have written is not trusted.
func TestWhoeverLeavesAnAddressMustBeTrusted(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, presenceName)
	good := `{"pid": 1, "addresses": ["http://127.0.0.1:1/", "file:///etc/passwd", "http://[::1]:2/"], "state_directory": "` + dir + `"}`
	put(t, name, good)
	if p, owner, err := readPresence(dir); err != nil || int(owner) != os.Getuid() || len(p.Addresses) != 2 {
		t.Errorf("%+v, %d, %v", p, owner, err)
	}
	for what, spoil := range map[string]func() error{
		"writable by others": func() error { return os.Chmod(name, 0o646) },
		"writable by group":  func() error { return os.Chmod(name, 0o664) },
		"a symlink":          func() error { return os.Symlink("elsewhere", name) },
		"to a good file": func() error {
			put(t, filepath.Join(dir, "elsewhere"), good)
			return os.Symlink("elsewhere", name)
		},
		"a directory": func() error { return os.Mkdir(name, 0o700) },
		"rubbish":     func() error { return os.WriteFile(name, []byte("rubbish"), 0o600) },
		"another's": func() error {
			if os.Getuid() != 0 {
				return os.Chmod(name, 0o666) // only root can change the owner of a file
			}
			return os.Chown(name, 54321, 54321)
		},
	} {
		_ = os.Remove(name)
		if !strings.HasPrefix(what, "a ") && !strings.HasPrefix(what, "to ") {
			put(t, name, good)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if p, _, err := readPresence(dir); err == nil || len(p.Addresses) > 0 {
			t.Errorf("%s is believed: %+v", what, p)
		}
	}
}

// The service's user must not block a command of root by naming a pipe as the daemon's
// configuration.
func TestAPipeIsNoConfigurationOfADaemon(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", dir)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, presenceName), `{"pid": 1, "config_file": "`+pipe+`"}`)
	read := make(chan error, 1)
	go func() {
		_, err := commandConfig("")
		read <- err
	}()
	select {
	case err := <-read:
		if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it waits for a writer of the pipe")
	}
}

// The service's user must not decide where root writes.
func TestOnlyDirectoriesOfTheOwnerAreBelieved(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving directories away takes root")
	}
	dir := t.TempDir()
	if !ownedBy(dir, 0) || ownedBy(dir, 54321) || ownedBy(filepath.Join(dir, "none"), 0) {
		t.Error("a directory of root's is believed of somebody else")
	}
	if err := os.Chown(dir, 54321, 54321); err != nil {
		t.Fatal(err)
	}
	if !ownedBy(dir, 54321) {
		t.Error("the owner's directory is not believed")
	}
}

func TestHowThePageIsReachedFromHere(t *testing.T) {
	for address, want := range map[string]string{
		"http://0.0.0.0:10090/": "http://127.0.0.1:10090/", "https://[::]:1/": "https://[::1]:1/",
		"http://192.0.2.7:1/": "http://192.0.2.7:1/", "http://node2:1": "http://node2:1",
	} {
		if got := reachable(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// Without a daemon a plugin reports at least WARNING.
func TestAPluginWithoutADaemonWarns(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	put(t, file, "web: {listen: [\""+free(t)+"\"]}\n")
	code, out, errs := called(t, "check", "-o", "nagios", "-t", "300", "--config.file", file)
	if code == exitOK || !strings.Contains(out, " - one-shot check, no daemon answers: ") || errs != "" {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}
