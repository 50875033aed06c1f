package icinga_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// objects is the configuration of the real Icinga. Its active check, which runs when
// no fresh result has arrived, has a recognizable output; "no passive" accepts no
// results.
const objects = `
const NodeName = "icinga"
const ZoneName = "icinga"
const TicketSalt = ""
object Endpoint NodeName {}
object Zone ZoneName { endpoints = [ NodeName ] }
object ApiListener "api" {
  bind_host = "127.0.0.1"
  bind_port = %d
}
object ApiUser "nodewatch" {
  password = "geheim-42"
  permissions = [ "actions/process-check-result" ]
}
object ApiUser "certified" {
  client_cn = "node2"
  permissions = [ "actions/process-check-result" ]
}
object ApiUser "reader" {
  password = "lesen"
  permissions = [ "objects/query/*", "events/CheckResult" ]
}
object CheckerComponent "checker" {}
object CheckCommand "silence" {
  command = [ "/bin/sh", "-c", "echo 'nodewatch is silent'; exit 3" ]
}
object Host "node2" {
  check_command = "silence"
  enable_active_checks = false
}
template Service "passive" {
  host_name = "node2"
  check_command = "silence"
  max_check_attempts = 1
  check_interval = 1d
}
object Service "nodewatch" { import "passive" }
object Service "storage" { import "passive" }
object Service "no passive" {
  import "passive"
  enable_passive_checks = false
}
`

// A daemon is a real Icinga 2 on the loopback.
type daemon struct {
	url    string
	dir    string
	client *http.Client
}

// run starts Icinga 2 and waits until it listens. The test is skipped if it is not
// installed.
func run(t *testing.T) *daemon {
	t.Helper()
	binary, libraries := program(t)
	d := &daemon{dir: t.TempDir()}
	port := d.prepare(t)
	args := []string{"--no-stack-rlimit", "daemon", "-c", filepath.Join(d.dir, "icinga2.conf")}
	for _, name := range []string{"DataDir", "LogDir", "CacheDir", "InitRunDir", "SpoolDir", "ConfigDir"} {
		args = append(args, fmt.Sprintf("-D%s=%s", name, d.dir))
	}
	cmd := exec.Command(binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), append(identity(t), libraries)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Activated all objects") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // it must not wait for a reader
			d.url = fmt.Sprintf("https://127.0.0.1:%d", port)
			return d
		}
	}
	t.Fatalf("Icinga 2 ended:\n%s", said.String())
	return nil
}

// program returns the path of Icinga 2 and the environment variable with its
// libraries: as unpacked below bin/debian, or as installed. The test is skipped if
// neither exists.
func program(t *testing.T) (binary, libraries string) {
	t.Helper()
	found, err := filepath.Glob("../../../bin/debian/usr/lib/*/icinga2/sbin/icinga2")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		if binary, err = filepath.Abs(found[0]); err != nil {
			t.Fatal(err)
		}
		libraries = "LD_LIBRARY_PATH=" + filepath.Dir(filepath.Dir(filepath.Dir(binary)))
		cmd := exec.Command(binary, "--version")
		cmd.Env = append(os.Environ(), libraries)
		if cmd.Run() == nil {
			return binary, libraries
		}
	}
	if binary, err = exec.LookPath("icinga2"); err != nil {
		t.Skip("no Icinga 2 to test with: it is in Debian's package icinga2-bin; tools/unpack unpacks it, and the libboost and libedit it needs, into bin/debian")
	}
	return binary, "LD_LIBRARY_PATH=" + os.Getenv("LD_LIBRARY_PATH")
}

// identity prevents Icinga from changing to its own user.
func identity(t *testing.T) []string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"ICINGA2_USER=" + u.Username, "ICINGA2_GROUP=" + g.Name}
}

// prepare writes the configuration and the certificates of the server and of a
// client, and returns a free port.
func (d *daemon) prepare(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(d.dir, "icinga2.conf"), []byte(fmt.Sprintf(objects, port)))
	if err := os.Mkdir(filepath.Join(d.dir, "certs"), 0o700); err != nil {
		t.Fatal(err)
	}
	ca, caKey := d.issue(t, "ca", nil, nil)
	d.issue(t, "icinga", ca, caKey)
	d.issue(t, "node2", ca, caKey)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	d.client = d.trusting(pool)
	return port
}

// issue writes a certificate and its key; without an issuer it is that of an
// authority.
func (d *daemon) issue(t *testing.T, name string, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (*x509.Certificate,
	*ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if issuer == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		issuer, issuerKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.file(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, d.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, key
}

func (d *daemon) file(name string) string { return filepath.Join(d.dir, "certs", name) }

func put(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// options returns the options with which a reporter reaches it.
func (d *daemon) options() httpclient.Options { return httpclient.Options{CA: d.file("ca.crt")} }

// ask makes a request as the user that reads, and returns the open response.
func (d *daemon) ask(ctx context.Context, t *testing.T, method, path string, body any) io.ReadCloser {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(ctx, method, d.url+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth("reader", "lesen")
	q.Header.Set("Accept", "application/json")
	a, err := d.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, a.Status)
	}
	return a.Body
}
