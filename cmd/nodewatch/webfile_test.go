package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// certificate writes a self-signed certificate for loopback and its key, and returns
// the pool that trusts it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	put(t, filepath.Join(dir, "node.pem"), string(cert))
	put(t, filepath.Join(dir, "node.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The hash of the password "storm".
const (
	passwords = "basic_auth_users:\n  oncall: \"$2a$04$UQAZRBtxcUCXSpk3i1njNekXiWl75PelwBwIyrpA5MipkU4S/lep2\"\n"
	withTLS   = "tls_server_config:\n  cert_file: node.pem\n  key_file: node.key\n"
)

// asking sends a request with a client that trusts the pool, without a user if user
// is empty.
func asking(t *testing.T, pool *x509.CertPool, url, user, password string) (code int, err error) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: pool}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

// The page works with TLS and passwords, even if the disk with their files does not
// respond: a request reads no file.
func TestSecuredPageNeedsNoDisk(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	put(t, filepath.Join(dir, "web.yml"), withTLS+passwords)
	secured, err := openWebFile(filepath.Join(dir, "web.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if secured.scheme() != "https" {
		t.Errorf("the scheme is %s", secured.scheme())
	}
	address, _ := serving(t, newConnLimit(100), secured, hello)
	for _, name := range []string{"web.yml", "node.pem", "node.key"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil { // opening it blocks
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		user, password string
		code           int
	}{{"", "", 401}, {"oncall", "storm", 200}, {"oncall", "calm", 401}} {
		if code, err := asking(t, pool, "https://"+address+"/", c.user, c.password); err != nil || code != c.code {
			t.Errorf("%q with %q: %d, %v; want %d", c.user, c.password, code, err, c.code)
		}
	}
}

// A web file that becomes invalid while running: connections are refused, even open
// ones, until it is valid again; its changes are then in force.
func TestAWebFileThatBreaksRefusesConnections(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "web.yml")
	pool := certificate(t, dir)
	for kind, good := range map[string]string{"https": withTLS + passwords, "http": passwords} {
		put(t, name, good)
		secured, err := openWebFile(name)
		if err != nil {
			t.Fatal(err)
		}
		address, _ := serving(t, newConnLimit(100), secured, hello)
		url := kind + "://" + address + "/"
		ask := func(what, password string, want int) {
			t.Helper()
			if code, err := asking(t, pool, url, "oncall", password); code != want {
				t.Errorf("%s, %s: got %d, %v; want %d", kind, what, code, err, want)
			}
		}
		ask("at first", "storm", 200)
		kept := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		held := func() int {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			req.SetBasicAuth("oncall", "storm")
			resp, err := kept.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return resp.StatusCode
		}
		held()
		for what, content := range map[string]string{"rubbish": "a: [", "unknown": good + "more: 1\n",
			"no hash": "basic_auth_users: {oncall: storm}\n", "TLS on or off": map[string]string{"https": passwords,
				"http": withTLS}[kind]} {
			put(t, name, content)
			if err := secured.reload(); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %s: %v", kind, what, err)
			}
			ask(what, "storm", 0)
		}
		if code := held(); code != http.StatusServiceUnavailable {
			t.Errorf("%s: a connection that is open: %d", kind, code)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := secured.reload(); err == nil {
			t.Error("a file that is gone is no error")
		}
		ask("gone", "storm", 0)
		put(t, name, good)
		if err := secured.reload(); err != nil {
			t.Error(err)
		}
		ask("fixed", "storm", 200)
		put(t, name, strings.Replace(good, "oncall", "night", 1))
		if err := secured.reload(); err != nil {
			t.Error(err)
		}
		ask("another user", "storm", 401)
	}
}

// A renewed certificate is used without a restart.
func TestARenewedCertificateIsUsed(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	put(t, filepath.Join(dir, "web.yml"), withTLS)
	secured, err := openWebFile(filepath.Join(dir, "web.yml"))
	if err != nil {
		t.Fatal(err)
	}
	address, _ := serving(t, newConnLimit(100), secured, hello)
	fresh := certificate(t, dir)
	if _, err := asking(t, fresh, "https://"+address+"/", "", ""); err == nil {
		t.Error("the new certificate is in use before it was read")
	}
	if err := secured.reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := asking(t, fresh, "https://"+address+"/", "", ""); err != nil {
		t.Error(err)
	}
}

// The log reports once that the file is invalid, and once that it is valid again.
func TestABrokenWebFileIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "web.yml")
		put(t, name, passwords)
		secured, err := openWebFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var log lockedBuffer
		go secured.watch(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
		put(t, name, "a: [")
		time.Sleep(time.Hour)
		put(t, name, passwords)
		time.Sleep(time.Hour)
		synctest.Wait()
		text := log.String()
		if strings.Count(text, "\n") != 2 || !strings.Contains(text, "Connections are refused until the web configuration is valid") ||
			!strings.Contains(text, "The web configuration is valid again") {
			t.Error(text)
		}
	})
}

// Certificates inside the file, and names that are aliases or absolute, work too.
func TestWebFilesOfEveryForm(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	cert, err := os.ReadFile(filepath.Join(dir, "node.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	indent := func(b []byte) string {
		return "    " + strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "\n    ")
	}
	for name, c := range map[string]struct {
		content string
		tls     bool
	}{
		"empty":     {"", false},
		"comments":  {"# none\n", false},
		"relative":  {withTLS, true},
		"absolute":  {"tls_server_config: {cert_file: " + dir + "/node.pem, key_file: " + dir + "/node.key}", true},
		"in it":     {"tls_server_config:\n  cert: |\n" + indent(cert) + "\n  key: |\n" + indent(key) + "\n", true},
		"both":      {"tls_server_config:\n  cert: rubbish\n  cert_file: node.pem\n  key_file: node.key\n", true},
		"client CA": {withTLS + "  client_ca_file: node.pem\n  client_auth_type: RequireAndVerifyClientCert\n", true},
		"headers":   {"http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n" + withTLS, true},
		"limit":     {"rate_limit: {burst: 10, interval: 1s}\n", false},
	} {
		file := filepath.Join(dir, "web.yml")
		put(t, file, c.content)
		content, secured, err := loadWebFile(file)
		if err != nil || secured != c.tls {
			t.Errorf("%s: TLS %t, %v", name, secured, err)
			continue
		}
		copied, err := inMemory(content)
		if err != nil {
			t.Fatal(err)
		}
		if _, again, err := loadWebFile(inProc(copied)); err != nil || again != c.tls {
			t.Errorf("%s: the copy is not valid: %v\n%s", name, err, content)
		}
		copied.Close()
	}
}
