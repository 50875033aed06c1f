package checks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/internal/status/config"
)

// check returns the check with the given text in a configuration file.
func check(t *testing.T, text string, modules ...string) config.Check {
	t.Helper()
	file := "checks: {modules: {" + strings.Join(modules, ", ") +
		"}}\ngroups:\n  - {id: g, name: g, components: [{id: c, name: c, check: " + text + "}]}\n"
	c, err := config.Parse("f", []byte(file))
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	return *c.Groups[0].Components[0].Check
}

// says formats a result on one line.
func says(r Result) string {
	return strings.TrimSpace(string(r.State) + " " + r.Reason + " " + r.Detail)
}

// expect runs the check until it returns the wanted result.
func expect(t *testing.T, k config.Check, want string) Result {
	t.Helper()
	r := probe(t.Context(), k)
	if got := says(r); !strings.HasPrefix(got, want) {
		t.Errorf("%s %s: %q, want %q", k.Prober, k.Address, got, want)
	}
	return r
}

func TestHTTP(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/":
			fmt.Fprint(w, "<h1>Sign in (now)</h1>")
		case "/moved":
			http.Redirect(w, q, "/", http.StatusFound)
		case "/never":
			<-q.Context().Done()
		default:
			http.Error(w, "broken", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(srv.Close)
	expect(t, check(t, `{http: "`+srv.URL+`/"}`), "operational")
	expect(t, check(t, `{http: "`+srv.URL+`/", text: "Sign in (now)"}`), "operational")
	expect(t, check(t, `{http: "`+srv.URL+`/", text: "Sign.in"}`), "major_outage check_failed Body did not match")
	expect(t, check(t, `{http: "`+srv.URL+`/x", impact: partial_outage}`),
		"partial_outage check_failed Invalid HTTP response status code, wanted 2xx, status_code=500")
	expect(t, check(t, `{http: "`+srv.URL+`/moved"}`),
		"major_outage check_failed Invalid HTTP response status code, wanted 2xx, status_code=302")
	expect(t, check(t, `{http: "`+srv.URL+`/never", timeout: 100ms}`), "major_outage check_failed no answer within 100ms")
	expect(t, check(t, `{module: m, target: "`+srv.URL+`/moved"}`, "m: {prober: http, http: {valid_status_codes: [302]}}"), "operational")
	expect(t, check(t, `{module: m, target: "`+srv.URL+`/moved"}`, "m: {prober: http, http: {follow_redirects: true}}"), "operational")
	srv.Close()
	expect(t, check(t, `{http: "`+srv.URL+`/"}`), "major_outage check_failed Error for HTTP request")
}

// certificate returns a self-signed server certificate that is valid for the time
// left.
func certificate(t *testing.T, left time.Duration) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(left), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestTLS(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		left            time.Duration
		trusted         bool
		days, want, tcp string
	}{
		{30 * day, true, "", "operational", "operational"},
		{30 * day, true, ", expiry_days: 14", "operational", "operational"},
		{3 * day, true, ", expiry_days: 14", "degraded_performance certificate_expires the certificate expires at 20",
			"degraded_performance certificate_expires the certificate expires at 20"},
		{-time.Hour, true, ", expiry_days: 14", "major_outage check_failed Error for HTTP request",
			"major_outage check_failed Error dialing TCP"},
		{30 * day, false, "", "major_outage check_failed Error for HTTP request", "major_outage check_failed Error dialing TCP"},
	} {
		own, ca := certificate(t, c.left)
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
		srv.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are expected
		srv.StartTLS()
		trust := ""
		if c.trusted {
			trust = fmt.Sprintf("tls_config: {ca_file: %q}", ca)
		}
		r := expect(t, check(t, `{module: m, target: "`+srv.URL+`"`+c.days+`}`, "m: {prober: http, http: {"+trust+"}}"), c.want)
		if c.trusted && c.left > 0 && r.Expires.Sub(time.Now().Add(c.left)).Abs() > time.Hour {
			t.Errorf("%v left: it says %v", c.left, r.Expires)
		}
		at := strings.TrimPrefix(srv.URL, "https://")
		expect(t, check(t, `{module: m, target: "`+at+`"`+c.days+`}`, "m: {prober: tcp, tcp: {tls: true, "+trust+"}}"), c.tcp)
		if !c.trusted {
			expect(t, check(t, `{tls: "`+at+`"}`), c.tcp)
		}
		srv.Close()
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the connection may be closed already
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "* OK [IMAP] ready\r\n")
			_ = c.Close()
		}
	}()
	at := l.Addr().String()
	expect(t, check(t, `{tcp: "`+at+`"}`), "operational")
	expect(t, check(t, `{tcp: "`+at+`", text: "[IMAP]"}`), "operational")
	expect(t, check(t, `{tcp: "`+at+`", text: "SMTP", timeout: 2s}`), "major_outage check_failed")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, check(t, `{tcp: "`+at+`"}`), "major_outage check_failed Error dialing TCP, err=dial tcp4 "+at+": connect: connection refused")
}

func TestDNS(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		switch q.Question[0].Name {
		case "www.example.org.":
			a.Answer = append(a.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET,
				Ttl: 60}, A: net.IPv4(192, 0, 2, 7)})
		case "broken.example.org.":
			a.Rcode = dns.RcodeServerFailure
		case "silent.example.org.":
			return
		}
		_ = w.WriteMsg(a) // the client may have disconnected
	})}
	ended := make(chan error, 1)
	go func() { ended <- srv.ActivateAndServe() }()
	t.Cleanup(func() {
		_ = srv.Shutdown() // the server may not have started
		_ = pc.Close()
		<-ended
	})
	at := pc.LocalAddr().String()
	expect(t, check(t, `{dns: "`+at+`", query: www.example.org}`), "operational")
	expect(t, check(t, `{dns: "`+at+`", query: www.example.org, text: "192.0.2.7"}`), "operational")
	expect(t, check(t, `{dns: "`+at+`", query: www.example.org, text: "192.0.2.8"}`), "major_outage check_failed None of the RRs")
	expect(t, check(t, `{dns: "`+at+`", query: empty.example.org}`),
		"major_outage check_failed fail_if_none_matches_regexp specified but no RRs returned")
	expect(t, check(t, `{dns: "`+at+`", query: broken.example.org}`), "major_outage check_failed Rcode is not one of the valid rcodes")
	expect(t, check(t, `{dns: "`+at+`", query: silent.example.org, timeout: 100ms}`), "major_outage check_failed")
}

// Pings need a network namespace in which every user may ping.
func TestICMP(t *testing.T) {
	inNamespace(t, func() {
		expect(t, check(t, "{icmp: 127.0.0.1}"), "unknown cannot_check") // no user may ping yet
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0o644); err != nil {
			t.Fatal(err)
		}
		expect(t, check(t, "{icmp: 127.0.0.1}"), "unknown cannot_check") // the loopback interface is down
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			t.Fatal(err)
		}
		expect(t, check(t, "{icmp: 127.0.0.1}"), "operational")
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index,
			Dst: &net.IPNet{IP: net.IPv4(192, 0, 2, 0), Mask: net.CIDRMask(24, 32)}}); err != nil {
			t.Fatal(err)
		}
		expect(t, check(t, "{icmp: 192.0.2.1, timeout: 1s, impact: partial_outage}"),
			"partial_outage no_packets no packets returned by host 192.0.2.1, 3 sent")
	})
}

// inNamespace calls f in a separate network namespace.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		f()
	}()
	if err := <-done; err != nil {
		t.Skipf("a network namespace needs CAP_SYS_ADMIN: %v", err)
	}
}

// A check ends with the hub, however slow the probed service is.
func TestChecksEndWithTheHub(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }))
	t.Cleanup(srv.Close)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if r := probe(ctx, check(t, `{http: "`+srv.URL+`/"}`)); r.State == "operational" {
		t.Errorf("%+v", r)
	}
}
