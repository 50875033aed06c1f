package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for an expected event. It is long because the
// machine may be busy; a passing test does not use it up.
const patience = 5 * time.Minute

// chromium starts Debian's Chromium, shared by all subtests. Without it the test is
// skipped.
func chromium(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium: 'make browser-test' installs Debian's")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true))
	allocated, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	browser, end := chromedp.NewContext(allocated)
	t.Cleanup(end)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return browser
}

// A look contains the settings for displaying a page.
type look struct {
	width, height int64
	dark          bool
	scripts       bool
	zone          string // empty: UTC
}

// A tab is an open page with the requests that it has sent.
type tab struct {
	context.Context
	mu    sync.Mutex
	asked []string // addresses
	wrong []string // errors reported by the browser
}

// open opens a page in a new tab.
func open(t *testing.T, browser context.Context, address string, l look) *tab {
	t.Helper()
	inner, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	bounded, cancel := context.WithTimeout(inner, patience)
	t.Cleanup(cancel)
	b := &tab{Context: bounded}
	if err := chromedp.Do(inner); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Listen(inner, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			b.asked = append(b.asked, e.Request.URL)
		case *network.EventLoadingFailed:
			if e.BlockedReason != "" {
				b.wrong = append(b.wrong, fmt.Sprintf("blocked: %s", e.BlockedReason))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	scheme, zone := "light", l.zone
	if l.dark {
		scheme = "dark"
	}
	if zone == "" {
		zone = "UTC"
	}
	b.run(t,
		command(network.Enable, network.EnableParams{}),
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height,
			DeviceScaleFactor: 1}),
		command(emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
		command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone}),
		command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !l.scripts}),
		chromedp.Navigate(address),
	)
	return b
}

// command returns an action for a command of the browser's protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *tab) run(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		t.Fatal(err)
	}
}

// eval evaluates an expression in the page, even if the page's own scripts are
// disabled.
func eval[T any](t *testing.T, b *tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits until an expression is true.
func (b *tab) until(t *testing.T, expression string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if eval[bool](t, b, expression) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", expression)
		}
	}
}

// foreign returns the requests to servers other than the page's own.
func (b *tab) foreign(address string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	own, _ := url.Parse(address)
	var list []string
	for _, asked := range b.asked {
		u, err := url.Parse(asked)
		if err != nil || u.Scheme != "data" && u.Host != own.Host {
			list = append(list, asked)
		}
	}
	return append(list, b.wrong...)
}

// shot saves screenshots of the first screen and of the whole page, if requested.
func (b *tab) shot(t *testing.T, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	for name, take := range map[string]chromedp.Action[[]byte]{name + "-first": chromedp.CaptureScreenshot(),
		name: chromedp.FullScreenshot(100)} {
		picture, err := chromedp.Run(b, take)
		if err == nil {
			err = os.WriteFile(filepath.Join(*shots, name+".png"), picture, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A violation is a problem that axe-core finds in a page.
type violation struct {
	ID    string
	Help  string
	Nodes []struct{ HTML, FailureSummary string }
}

// axe returns the problems that axe-core finds in the page.
func (b *tab) axe(t *testing.T) []violation {
	t.Helper()
	library, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Skip("no axe-core: 'make browser-test' fetches it by npm")
	}
	eval[bool](t, b, string(library)+"; true")
	raw, err := chromedp.Run(b, chromedp.Evaluate[string](`axe.run(document).then(r => JSON.stringify(r.violations))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var list []violation
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func (v violation) String() string {
	text := v.ID + ": " + v.Help
	for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
		text += "\n\t" + n.HTML + "\n\t\t" + strings.ReplaceAll(n.FailureSummary, "\n", "; ")
	}
	return text
}
