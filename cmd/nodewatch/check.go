package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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
	output  *string
	timeout *time.Duration
	oneShot *bool
	colour  *string
}

func (p program) checkCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("check", "Say what is wrong with this node, now: the running daemon's word, or without one two readings a second apart. Exits with 0 (nothing, or infos), 1 (warning), 2 (critical), 3 (unknown).")
	c := &checker{program: p, file: configFlag(cmd)}
	c.url = cmd.Flag("url", "The daemon's address. Default: the first web.listen address.").PlaceHolder("http://127.0.0.1:10090").String()
	c.output = cmd.Flag("output", "text, json (as /api/v1/report) or nagios (a plugin's line with perfdata).").Short('o').Default("text").Enum("text", "json", "nagios")
	c.timeout = cmd.Flag("timeout", "How long to try at most.").Short('t').Default("10s").Duration()
	c.oneShot = cmd.Flag("one-shot", "Do not ask the daemon.").Bool()
	c.colour = cmd.Flag("colour", "auto, always or never.").Default("auto").Enum("auto", "always", "never")
	return "check", c.run
}

func (c *checker) run(ctx context.Context) int {
	conf, err := readConfig(*c.file)
	if err != nil {
		return c.fail(exitUnknown, err)
	}
	ctx, cancel := context.WithTimeout(ctx, *c.timeout)
	defer cancel()
	if !*c.oneShot {
		r, err := ask(ctx, c.address(conf))
		if err == nil {
			return c.print(r, "")
		}
		if !nobodyThere(err) {
			return c.unknown(err)
		}
	}
	r, err := oneShot(ctx, conf)
	if err != nil {
		return c.unknown(err)
	}
	return c.print(r, "one shot, as no daemon answers: two readings a second apart, so that nothing can be said of how long anything has lasted")
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
	return c.fail(exitUnknown, err)
}

// print prints the report and returns its exit code.
func (c *checker) print(r report.Report, note string) int {
	switch *c.output {
	case "json":
		body, err := page.JSON(r)
		if err != nil {
			return c.fail(exitUnknown, err)
		}
		_, _ = c.out.Write(body)
	case "nagios":
		fmt.Fprint(c.out, page.Nagios(r))
	default:
		width, colour := c.terminal()
		fmt.Fprint(c.out, page.Text(judge.View{Report: r}, page.Style{Width: width, Color: colour}))
		if note != "" {
			fmt.Fprintf(c.out, "\n(%s)\n", note)
		}
	}
	return page.ExitCode(r)
}

// terminal returns the width of the output and whether it is to be coloured.
func (c *checker) terminal() (width int, colour bool) {
	f, is := c.out.(*os.File)
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

// address is where the daemon's report is.
func (c *checker) address(conf config.Config) string {
	if *c.url != "" {
		return strings.TrimSuffix(*c.url, "/") + "/api/v1/report"
	}
	address := "127.0.0.1:10090"
	if len(conf.Web.Listen) > 0 {
		address = conf.Web.Listen[0]
	}
	if host, port, err := net.SplitHostPort(address); err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	scheme := "http"
	if conf.Web.Config != "" {
		scheme = "https"
	}
	return scheme + "://" + address + "/api/v1/report"
}

// nobodyThere reports whether the error says that no daemon listens.
func nobodyThere(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// ask asks the daemon. While it is starting, it is asked again.
func ask(ctx context.Context, url string) (report.Report, error) {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // no proxy: the daemon is on this machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the daemon does not redirect") },
	}
	for {
		r, starting, err := askOnce(ctx, client, url)
		if !starting {
			return r, err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return report.Report{}, errors.New("the daemon is starting: not every source has spoken yet")
		}
	}
}

func askOnce(ctx context.Context, client *http.Client, url string) (r report.Report, starting bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return r, false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return r, false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReport))
	switch {
	case err != nil:
		return r, false, fmt.Errorf("%s: %w", url, err)
	case resp.StatusCode == http.StatusServiceUnavailable:
		return r, true, nil
	case resp.StatusCode != http.StatusOK:
		return r, false, fmt.Errorf("%s: %s; with TLS or a password, give --one-shot or ask /metrics instead", url, resp.Status)
	}
	if err := json.Unmarshal(body, &r); err != nil || r.Node == "" {
		return r, false, fmt.Errorf("%s does not answer with a report of nodewatch: %w", url, errors.Join(err))
	}
	return r, false, nil
}
