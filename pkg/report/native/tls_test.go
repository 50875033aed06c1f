package native_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// certificate writes a self-signed client certificate for the node to dir.
func certificate(t *testing.T, dir, node string) (o httpclient.Options, cert *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	who, err := url.Parse("nodewatch:" + node)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), URIs: []*url.URL{who},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	o = httpclient.Options{Cert: write(t, dir, "cert.pem", "CERTIFICATE", raw),
		Key: httpclient.SecretFile(write(t, dir, "key.pem", "PRIVATE KEY", secret))}
	if cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	return o, cert
}

func write(t *testing.T, dir, name, kind string, raw []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Without a token, the client certificate identifies the sender.
func TestAClientCertificateIsEnough(t *testing.T) {
	dir := t.TempDir()
	o, cert := certificate(t, dir, "rl1/node2")
	rc, err := receiver.New(receiver.Config{Now: func() time.Time { return reporttest.Noon }})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(rc)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	s.TLS.ClientCAs.AddCert(cert)
	s.StartTLS()
	t.Cleanup(s.Close)
	o.CA = write(t, dir, "ca.pem", "CERTIFICATE", s.Certificate().Raw)

	for name, options := range map[string]httpclient.Options{"with": o, "without": {CA: o.CA}} {
		client, err := httpclient.New(options)
		if err != nil {
			t.Fatal(err)
		}
		c := native.Default()
		c.URL = s.URL
		x, err := native.New(c, client, statefile.File{})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Report(t.Context(), calm(0)); (err == nil) != (name == "with") {
			t.Errorf("%s certificate: %v", name, err)
		}
	}
	if n := len(rc.Node("rl1/node2").Bodies); n != 1 {
		t.Errorf("%d bodies", n)
	}
}
