package browser

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var (
	binary  = flag.String("nodewatch", "../../bin/browser/nodewatch", "the nodewatch to try")
	only    = flag.String("states", "calm risk storm after live", "which states to try")
	widths  = flag.String("widths", "320 390 1280", "which widths to try, in pixels")
	schemes = flag.String("schemes", "light dark", "which colour schemes to try")
	shots   = flag.String("shots", "", "directory for pictures; empty: none are taken")
)

// heights contains the screen heights, by width.
var heights = map[string]int64{"320": 568, "390": 844, "1280": 800}

// Each state on each screen: axe-core finds no problem, nothing is wider than the
// screen, nothing is loaded from other servers, and what on-call needs is in its
// expected place.
func TestPages(t *testing.T) {
	browser := chromium(t)
	for _, name := range strings.Fields(*only) {
		s, known := states[name]
		if !known {
			t.Fatalf("there is no state %q", name)
		}
		t.Run(name, func(t *testing.T) {
			address, _ := s.start(t)
			for _, width := range strings.Fields(*widths) {
				for _, scheme := range strings.Fields(*schemes) {
					t.Run(width+" "+scheme, func(t *testing.T) { tryPage(t, browser, address, name, width, scheme) })
				}
			}
		})
	}
}

func tryPage(t *testing.T, browser context.Context, address, name, width, scheme string) {
	l := look{height: heights[width], dark: scheme == "dark", scripts: true}
	fmt.Sscan(width, &l.width)
	for _, path := range []string{"?refresh=0", "history?refresh=0", "rules"} {
		if path != "?refresh=0" && (name != "storm" || width != "390") {
			continue
		}
		b := open(t, browser, address+path, l)
		picture := strings.Join([]string{name, strings.TrimSuffix(path, "?refresh=0"), width, scheme}, "-")
		b.shot(t, strings.ReplaceAll(picture, "--", "-"))
		if wide := eval[int](t, b, "document.documentElement.scrollWidth"); wide > int(l.width) {
			t.Errorf("%s: it is %d px wide", path, wide)
		}
		if foreign := b.foreign(address); len(foreign) > 0 {
			t.Errorf("%s: it asks others, or is refused: %v", path, foreign)
		}
		if path == "?refresh=0" {
			measure(t, b, name, l)
			eval[bool](t, b, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
			if wide := eval[int](t, b, "document.documentElement.scrollWidth"); wide > int(l.width) {
				t.Errorf("with all open it is %d px wide", wide)
			}
		}
		for _, v := range b.axe(t) {
			t.Errorf("%s: %s", path, v)
		}
	}
}

// measure checks that what on-call needs is visible without scrolling.
func measure(t *testing.T, b *tab, name string, l look) {
	bottom := func(what string) float64 {
		return eval[float64](t, b, fmt.Sprintf(`(e => e ? e.getBoundingClientRect().bottom : 1e9)([...document.querySelectorAll(%q)].at(-1))`, what))
	}
	tall := eval[float64](t, b, "document.documentElement.scrollHeight")
	t.Logf("%d px wide: %.0f px high, %.1f screens", l.width, tall, tall/float64(l.height))
	if l.width == 390 && tall >= 8*float64(l.height) {
		t.Errorf("the page is %.1f screens high", tall/float64(l.height))
	}
	var first []string // elements that must be on the first screen
	switch {
	case name == "storm" && l.width == 390:
		first = []string{".verdict h1", ".steps pre"}
	case name == "storm" && l.width == 1280:
		first = []string{".verdict h1", ".steps pre", "#hit", "article:first-of-type .ports .bar"}
	case name == "after":
		first = []string{"#incident"}
	default:
		first = []string{".verdict h1"}
	}
	for _, what := range first {
		if at := bottom(what); at > float64(l.height) {
			t.Errorf("%s ends at %.0f px, below the first screen of %d px", what, at, l.height)
		}
	}
}

// A refresh keeps folds open, the scroll position and the focus; it shows new
// content; and it reports a node that no longer responds.
func TestRefreshKeepsThePlace(t *testing.T) {
	if !slices.Contains(strings.Fields(*only), "storm") {
		t.Skip("only some states are tried")
	}
	browser := chromium(t)
	address, stop := states["storm"].start(t)
	b := open(t, browser, address, look{width: 390, height: 844, scripts: true, zone: "Europe/Stockholm"})
	eval[bool](t, b, `
		document.querySelector("#hit-names").open = true;
		document.querySelector("#part-disks").open = true;
		document.querySelector(".finding .facts details").open = true;
		document.querySelector("main").dataset.old = "yes";
		document.querySelector("#part-disks summary").focus();
		document.querySelector("#disks").scrollIntoView();
		true`)
	before := eval[float64](t, b, `document.querySelector("#disks").getBoundingClientRect().top`)
	b.until(t, `!document.querySelector("main").dataset.old`)
	if !eval[bool](t, b, `document.querySelector("#hit-names").open && document.querySelector("#part-disks").open && document.querySelector(".finding .facts details").open && !document.querySelector("#part-host").open`) {
		t.Error("what was open is closed, or what was closed is open")
	}
	if after := eval[float64](t, b, `document.querySelector("#disks").getBoundingClientRect().top`); after-before > 2 || before-after > 2 {
		t.Errorf("what was read at %.0f px is at %.0f px", before, after)
	}
	if !eval[bool](t, b, `document.activeElement === document.querySelector("#part-disks summary")`) {
		t.Error("the focus is lost")
	}
	if text := eval[string](t, b, `document.querySelector("#when").textContent`); !strings.Contains(text, "03:06:4") ||
		!strings.Contains(text, "04:06:4") {
		t.Errorf("UTC and local time: %q", text)
	}
	commands := eval[int](t, b, `document.querySelectorAll(".steps pre").length`)
	if n := eval[int](t, b, `document.querySelectorAll(".steps button").length`); n != commands || n == 0 {
		t.Errorf("%d buttons that copy after a refresh, for %d commands", n, commands)
	}
	stop()
	b.until(t, `document.querySelector("#stale").textContent.includes("no longer updated")`)
}

// Without scripts the page has the same content, its folds open, and it reloads
// itself unless this is switched off.
func TestWithoutScripts(t *testing.T) {
	if !slices.Contains(strings.Fields(*only), "storm") {
		t.Skip("only some states are tried")
	}
	browser := chromium(t)
	address, _ := states["storm"].start(t)
	b := open(t, browser, address, look{width: 390, height: 844})
	if eval[int](t, b, `document.querySelectorAll("button").length`) != 0 {
		t.Fatal("the page's script has run")
	}
	measure(t, b, "storm", look{width: 390, height: 844})
	b.run(t, chromedp.Click("#hit-names > summary"))
	if !eval[bool](t, b, `document.querySelector("#hit-names").open`) {
		t.Error("the names of the guests do not fold open")
	}
	if got := eval[string](t, b, `document.querySelector("noscript meta[http-equiv=refresh]")?.content ?? ""`); got != "10" {
		t.Errorf("without scripts it reloads every %q s, want 10", got)
	}
	b.run(t, chromedp.Navigate(address+"?refresh=0"))
	if eval[bool](t, b, `document.querySelector("meta[http-equiv=refresh]") !== null`) {
		t.Error("a page that is to stay reloads itself")
	}
}
