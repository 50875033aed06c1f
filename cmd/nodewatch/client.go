package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// maxAnswer is the maximum size of a daemon's response, in bytes.
const maxAnswer = 16 << 20

// A client queries the daemon of this machine, or the one at an address.
type client struct {
	program
	file    *string
	url     *string
	ca      *string
	timeout time.Duration
}

// client adds the flags that select the daemon to query.
func (p program) client(cmd *kingpin.CmdClause) *client {
	c := &client{program: p, file: configFlag(cmd)}
	c.url = cmd.Flag("url", "The daemon's address; no other is tried. Default: the daemon of this host.").PlaceHolder("http://127.0.0.1:10090").String()
	c.ca = cmd.Flag("ca-file", "PEM file of the CA certificates to trust instead of the system's.").String()
	cmd.Flag("timeout", "Timeout: seconds, or a duration such as 1m.").Short('t').Default("10s").SetValue((*seconds)(&c.timeout))
	return c
}

// errNoDaemon means that no running daemon was found on this machine.
var errNoDaemon = errors.New("no daemon answers")

// ask requests a path from the daemon and decodes its JSON into the value. The error
// is errNoDaemon if none runs here and no address was given.
func (c *client) ask(ctx context.Context, conf config.Config, path string, into any) error {
	list, err := c.pages(conf)
	if err != nil {
		return err
	}
	for _, p := range list {
		err := p.ask(ctx, path, into)
		if err == nil || *c.url != "" || !p.another(err) {
			return err
		}
	}
	return errNoDaemon
}

// seconds is a duration on the command line; a plain number means seconds, as in
// other monitoring plugins.
type seconds time.Duration

// String implements kingpin.Value.
func (s *seconds) String() string { return time.Duration(*s).String() }

// Set implements kingpin.Value.
func (s *seconds) Set(text string) error {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := duration(text)
	if err != nil || d <= 0 || d > time.Hour {
		return fmt.Errorf("%q is not allowed: must be more than 0 and at most 3600 seconds, or a duration such as 250ms", text)
	}
	*s = seconds(d)
	return nil
}

// pages returns the endpoints of the daemon, in the order in which to try them.
func (c *client) pages(conf config.Config) ([]endpoint, error) {
	secured := &tls.Config{MinVersion: tls.VersionTLS12}
	if *c.ca != "" {
		raw, err := httpclient.ReadRegular(*c.ca, maxWebFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		secured.RootCAs = x509.NewCertPool()
		if !secured.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("--ca-file: %s contains no PEM certificate", *c.ca)
		}
	}
	if *c.url != "" {
		if err := wrongPageURL(*c.url); err != nil {
			return nil, fmt.Errorf("--url: %w", err)
		}
		return []endpoint{newEndpoint(*c.url, secured)}, nil
	}
	var list []endpoint
	dir := runtimeDirectory(conf)
	if dir == "" {
		dir = runtimeHome
	}
	p, _, err := readPresence(dir)
	// If a configuration file is named, a daemon with another one is not meant.
	if *c.file == "" || conf.Runtime != "" || err == nil && p.Config == absolute(*c.file) {
		socket := filepath.Join(dir, socketName)
		if info, err := os.Lstat(socket); err == nil && info.Mode()&fs.ModeSocket != 0 && trusted(info) {
			list = append(list, socketEndpoint(socket))
		}
		for _, a := range p.Addresses {
			list = append(list, newEndpoint(a, secured))
		}
	}
	scheme := "http"
	if conf.Web.Config != "" {
		scheme = "https"
	}
	for _, a := range conf.Web.Listen {
		if strings.HasPrefix(a, ":") {
			a = "0.0.0.0" + a
		}
		list = append(list, newEndpoint(reachable(scheme+"://"+a), secured))
	}
	return list, nil
}

// An endpoint is a daemon's page that can be queried.
type endpoint struct {
	url    string // URL without a path
	name   string // for errors
	socket bool
	client *http.Client
}

// wrongPageURL returns an error if the address of a page is invalid.
func wrongPageURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not a URL such as http://127.0.0.1:10090")
	}
	return nil
}

// newEndpoint returns the endpoint for a valid address.
func newEndpoint(address string, secured *tls.Config) endpoint {
	name := address
	if u, err := url.Parse(address); err == nil {
		name = u.Redacted()
	}
	return endpoint{url: strings.TrimSuffix(address, "/"), name: strings.TrimSuffix(name, "/"),
		client: asks(&http.Transport{TLSClientConfig: secured})}
}

// socketEndpoint returns the endpoint for a socket of this machine.
func socketEndpoint(name string) endpoint {
	return endpoint{url: "http://nodewatch", name: name, socket: true, client: asks(&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", name)
		},
	})}
}

func asks(t *http.Transport) *http.Client {
	t.DisableKeepAlives = true // no proxy is used, whatever the environment contains
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return errors.New("the daemon does not redirect")
	}}
}

// another reports whether another endpoint is to be tried after the error: this one
// has no listener, or the caller may not use the socket.
func (e endpoint) another(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || e.socket && (errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist))
}

// ask requests a path and decodes its JSON into the value. It retries while the
// daemon is starting.
func (e endpoint) ask(ctx context.Context, path string, into any) error {
	for {
		starting, err := e.askOnce(ctx, path, into)
		if !starting {
			return err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the daemon is starting: not every source has been read yet")
		}
	}
}

func (e endpoint) askOnce(ctx context.Context, path string, into any) (starting bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+path, nil)
	if err != nil {
		return false, fmt.Errorf("%s: %w", e.name, err)
	}
	resp, err := e.client.Do(req)
	if invalid, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return false, fmt.Errorf("%s: %w; set the CA with --ca-file, and the host name of the certificate with --url", e.name, invalid)
	}
	if err != nil {
		if inner, is := errors.AsType[*url.Error](err); is {
			err = inner.Err
		}
		return false, fmt.Errorf("%s: %w", e.name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return false, fmt.Errorf("%s: %w", e.name, err)
	case resp.StatusCode == http.StatusServiceUnavailable:
		return true, nil
	case resp.StatusCode == http.StatusUnauthorized:
		return false, fmt.Errorf("%s requires a password; run this command as root or as a member of the group nodewatch, which need none", e.name)
	case resp.StatusCode == http.StatusNotFound:
		return false, fmt.Errorf("%s: %s not found: not nodewatch, or an older version", e.name, path)
	case resp.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s: %s", e.name, resp.Status)
	}
	var named struct {
		Node string `json:"node"` // present in every response
	}
	if err := errors.Join(json.Unmarshal(body, &named), json.Unmarshal(body, into)); err != nil || named.Node == "" {
		return false, fmt.Errorf("%s does not answer like nodewatch", e.name)
	}
	return false, nil
}
