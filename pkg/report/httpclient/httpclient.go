// Package httpclient is the HTTP client of reporters: with a deadline, to one host
// only, with a limit on the response, and without secrets in errors.
package httpclient

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// maxAnswer is the default limit on the size of a response, in bytes. The rest is
// left unread, and the connection closed.
const maxAnswer = 64 << 10

// maxKey is the maximum size of a private key file, in bytes.
const maxKey = 64 << 10

// Options configure how to reach a backend.
type Options struct {
	CA     string     `yaml:"ca_file" doc:"PEM file of the trusted CA certificates; empty: the system's"`
	Cert   string     `yaml:"cert_file" doc:"PEM file of the client certificate, for mutual TLS; re-read for each connection"`
	Key    SecretFile `yaml:"key_file" doc:"PEM file of its key"`
	Name   string     `yaml:"server_name" doc:"host name required in the server's certificate; empty: the one in the URL"`
	Source string     `yaml:"source_address" doc:"local IP address to connect from, such as the management network's; empty: chosen by the kernel"`
	Proxy  string     `yaml:"proxy_url" doc:"HTTP proxy; empty: none, regardless of the environment"`
	Agent  string     // User-Agent
}

// A Client makes HTTP requests. It follows no redirect: a secret is for one host.
type Client struct {
	http  *http.Client
	agent string
}

// Check returns a *report.FieldError if the options are invalid. It reads no file,
// and no error contains a password.
func (o Options) Check() error {
	if _, err := netip.ParseAddr(o.Source); o.Source != "" && err != nil {
		return report.WrongField("source_address", "%q is not an IP address", o.Source)
	}
	if o.Proxy != "" {
		switch u, err := url.Parse(o.Proxy); {
		case err != nil || u.Hostname() == "":
			return report.WrongField("proxy_url", "is not an address such as http://192.0.2.3:3128")
		case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
			return report.WrongField("proxy_url", "must begin with http://, https:// or socks5://")
		case u.User != nil:
			return report.WrongField("proxy_url",
				"must not contain a user or password: secrets are not allowed in the configuration; use a proxy that identifies this node by its address")
		}
	}
	if (o.Cert == "") != (o.Key == "") {
		return report.WrongField("cert_file", "and key_file must be set together")
	}
	return nil
}

// New returns a Client. It reads the files once, to check that they are readable; the
// client certificate is read again for each connection.
func New(o Options) (*Client, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	t := &http.Transport{
		MaxIdleConns: 1, MaxConnsPerHost: 2, IdleConnTimeout: 90 * time.Second,
		DisableCompression: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxAnswer,
	}
	var err error
	if t.TLSClientConfig, err = o.tls(); err != nil {
		return nil, err
	}
	d := &net.Dialer{}
	if ip, err := netip.ParseAddr(o.Source); err == nil {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0))
	}
	t.DialContext = d.DialContext
	if u, err := url.Parse(o.Proxy); err == nil && o.Proxy != "" {
		t.Proxy = http.ProxyURL(u)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{http: &http.Client{Transport: t, CheckRedirect: stay}, agent: o.Agent}, nil
}

// maxCertificates is the maximum size of a file with certificates, in bytes.
const maxCertificates = 1 << 20

func (o Options) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.Name}
	if o.CA != "" {
		pem, err := ReadRegular(o.CA, maxCertificates)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s contains no PEM certificate", o.CA)
		}
	}
	if o.Cert == "" && o.Key == "" {
		return c, nil
	}
	load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		certificate, err := ReadRegular(o.Cert, maxCertificates)
		if err != nil {
			return nil, err
		}
		key, err := o.Key.Content(maxKey)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(certificate, key)
		return &pair, err
	}
	if _, err := load(nil); err != nil {
		return nil, fmt.Errorf("cert_file and key_file: %w", err)
	}
	c.GetClientCertificate = load
	return c, nil
}

// A Request is one HTTP request. Secrets are texts that must not be shown, wherever
// they are in it: in the URL, a header, the body.
type Request struct {
	Method  string
	URL     string
	Header  http.Header
	Body    []byte
	Secrets []string
	MaxBody int64 // maximum size to read of the response, in bytes; 0: 64 KiB
}

// Do makes the request, and reads no more of the response than the request allows. A response
// other than 2xx is returned together with a *report.Failure of the kind for its code; without a
// response the Failure is transient. No error contains more of the URL than scheme and host, or
// any secret.
func (c *Client) Do(ctx context.Context, q Request) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return Response{}, &report.Failure{Kind: report.Misconfigured, Err: errors.New("not a usable URL")}
	}
	for name, values := range q.Header {
		req.Header[name] = values
	}
	if c.agent != "" && req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.agent)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Response{}, q.failed(ctx, req, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, cmp.Or(q.MaxBody, maxAnswer)))
	a := Response{Code: resp.StatusCode, Header: resp.Header, Body: body, secrets: q.Secrets}
	if err != nil {
		return a, q.failed(ctx, req, err)
	}
	return a, a.failure(q.where(req))
}

// where returns the URL of the request, without parts that may be secret.
func (q Request) where(req *http.Request) string {
	return q.Method + " " + req.URL.Scheme + "://" + req.URL.Host
}

// failed returns the Failure of a request without a complete response.
func (q Request) failed(ctx context.Context, req *http.Request, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the error adds the URL
	}
	text := mask(err.Error(), q.Secrets)
	if ctx.Err() != nil {
		text = "no response before the deadline"
	}
	return &report.Failure{Kind: report.Transient, Err: fmt.Errorf("%s: %s", q.where(req), text)}
}
