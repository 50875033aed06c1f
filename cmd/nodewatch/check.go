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
	"golang.org/x/term"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// maxReport is the longest answer of a daemon that is read, in bytes.
const maxReport = 16 << 20

// A checker says what is wrong with this node now.
type checker struct {
	program
	file    *string
	url     *string
	ca      *string
	output  *string
	timeout time.Duration
	oneShot *bool
	colour  *string
}

func (p program) checkCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("check", "Print what is wrong with this node now. Queries the daemon; if none is running, takes two samples one second apart. Exits with 0 (nothing, or infos), 1 (warning), 2 (critical), 3 (unknown).")
	c := &checker{program: p, file: configFlag(cmd)}
	c.url = cmd.Flag("url", "The daemon's address; nothing else is tried then. Default: the daemon of this machine, wherever it listens.").PlaceHolder("http://127.0.0.1:10090").String()
	c.ca = cmd.Flag("ca-file", "PEM file of the authorities to trust instead of the system's.").String()
	c.output = cmd.Flag("output", "text, json (as /api/v1/report) or nagios (a plugin's output with perfdata).").Short('o').Default("text").Enum("text", "json", "nagios")
	cmd.Flag("timeout", "How long to try at most: seconds, or a duration such as 1m.").Short('t').Default("10s").SetValue((*seconds)(&c.timeout))
	c.oneShot = cmd.Flag("one-shot", "Do not query the daemon.").Bool()
	c.colour = cmd.Flag("colour", "auto, always or never.").Default("auto").Enum("auto", "always", "never")
	return "check", c.run
}

// Seconds is a duration on the command line; a number alone is seconds, as with
// other monitoring plugins.
type seconds time.Duration

// String implements kingpin.Value.
func (s *seconds) String() string { return time.Duration(*s).String() }

// Set implements kingpin.Value.
func (s *seconds) Set(text string) error {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > time.Hour {
		return fmt.Errorf("%q is not allowed: must be from 1 to 3600 seconds, or a duration such as 1m", text)
	}
	*s = seconds(d)
	return nil
}

func (c *checker) run(ctx context.Context) int {
	if *c.url != "" && *c.oneShot {
		return c.usage(errors.New("--url and --one-shot exclude each other"))
	}
	conf, err := commandConfig(*c.file)
	if err != nil && *c.file != "" {
		return c.unknown(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if !*c.oneShot {
		list, err := c.pages(conf)
		if err != nil {
			return c.unknown(err)
		}
		for _, p := range list {
			r, err := p.ask(ctx)
			if err == nil {
				return c.print(r, false)
			}
			if *c.url != "" || !p.another(err) {
				return c.unknown(err)
			}
		}
	}
	r, err := oneShot(ctx, conf)
	if err != nil {
		return c.unknown(err)
	}
	return c.print(r, true)
}

// pages are where the daemon may be asked, in the order in which to try.
func (c *checker) pages(conf config.Config) ([]endpoint, error) {
	secured := &tls.Config{MinVersion: tls.VersionTLS12}
	if *c.ca != "" {
		raw, err := readWebPart(*c.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		secured.RootCAs = x509.NewCertPool()
		if !secured.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("--ca-file: %s holds no PEM certificate", *c.ca)
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
	// With a file named, another configuration's daemon is not the one that is meant.
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

// unknown says in the wanted output that nothing could be learned.
func (c *checker) unknown(err error) int {
	switch *c.output {
	case "nagios":
		fmt.Fprintf(c.out, "NODEWATCH UNKNOWN - %s\n", strings.NewReplacer("|", "/", "\n", " ").Replace(err.Error()))
		return exitUnknown
	case "json":
		_ = json.NewEncoder(c.out).Encode(map[string]string{"error": err.Error()})
		return exitUnknown
	}
	return c.fail(exitUnknown, oneLine{err})
}

// print prints the report, which is the daemon's or a one-shot one, and returns its
// exit code.
func (c *checker) print(r report.Report, oneShot bool) int {
	switch *c.output {
	case "json":
		body, err := page.JSON(r)
		if err != nil {
			return c.fail(exitUnknown, err)
		}
		_, _ = c.out.Write(body)
	case "nagios":
		text, code := page.Nagios(r, oneShot)
		fmt.Fprint(c.out, text)
		return code
	default:
		width, colour := c.terminal()
		fmt.Fprint(c.out, page.Text(judge.View{Report: r}, page.Style{Width: width, Color: colour}))
		if oneShot {
			fmt.Fprint(c.out, "\n(one-shot, as no daemon answers: two samples one second apart, so nothing is known of how long anything has lasted)\n")
		}
	}
	return page.ExitCode(r)
}

// terminal returns the width of the output and whether it is to be coloured.
func (c *checker) terminal() (width int, colour bool) {
	f, is := c.out.to.(*os.File)
	is = is && term.IsTerminal(int(f.Fd()))
	width = 100
	if is {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = w
		}
	}
	switch *c.colour {
	case "always":
		return width, true
	case "never":
		return width, false
	}
	return width, is && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// An endpoint is a daemon's page that can be asked.
type endpoint struct {
	url    string // without a path
	name   string // for errors
	socket bool
	client *http.Client
}

// wrongPageURL says what is wrong with the address of a page.
func wrongPageURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not an address such as http://127.0.0.1:10090")
	}
	return nil
}

// newEndpoint is the page at the address, which is right.
func newEndpoint(address string, secured *tls.Config) endpoint {
	name := address
	if u, err := url.Parse(address); err == nil {
		name = u.Redacted()
	}
	return endpoint{url: strings.TrimSuffix(address, "/"), name: strings.TrimSuffix(name, "/"), client: asks(&http.Transport{TLSClientConfig: secured})}
}

// socketEndpoint is the page on a socket of this machine.
func socketEndpoint(name string) endpoint {
	return endpoint{url: "http://nodewatch", name: name, socket: true, client: asks(&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", name)
		},
	})}
}

func asks(t *http.Transport) *http.Client {
	t.DisableKeepAlives = true // and no proxy, whatever the environment says
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the daemon does not redirect") }}
}

// another reports whether, after the error, another page is to be tried: nobody
// listens at this one, or the caller may not use the socket.
func (e endpoint) another(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || e.socket && (errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist))
}

// ask asks for the report. While the daemon is starting, it is asked again.
func (e endpoint) ask(ctx context.Context) (report.Report, error) {
	for {
		r, starting, err := e.askOnce(ctx)
		if !starting {
			return r, err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return report.Report{}, errors.New("the daemon is starting: not every source has been read yet")
		}
	}
}

func (e endpoint) askOnce(ctx context.Context) (r report.Report, starting bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"/api/v1/report", nil)
	if err != nil {
		return r, false, fmt.Errorf("%s: %w", e.name, err)
	}
	resp, err := e.client.Do(req)
	if invalid, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return r, false, fmt.Errorf("%s: %w; name the authority with --ca-file, and the name in the certificate with --url", e.name, invalid)
	}
	if err != nil {
		if inner, is := errors.AsType[*url.Error](err); is {
			err = inner.Err
		}
		return r, false, fmt.Errorf("%s: %w", e.name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReport))
	switch {
	case err != nil:
		return r, false, fmt.Errorf("%s: %w", e.name, err)
	case resp.StatusCode == http.StatusServiceUnavailable:
		return r, true, nil
	case resp.StatusCode == http.StatusUnauthorized:
		return r, false, fmt.Errorf("%s asks for a password; run check as root or as a member of the group nodewatch, who are not asked", e.name)
	case resp.StatusCode != http.StatusOK:
		return r, false, fmt.Errorf("%s: %s", e.name, resp.Status)
	}
	if err := json.Unmarshal(body, &r); err != nil || r.Node == "" {
		return r, false, fmt.Errorf("%s does not answer with a report of nodewatch", e.name)
	}
	return r, false, nil
}
