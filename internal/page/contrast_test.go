package page

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// colours are the colours of the light and of the dark style, by name.
func colours(t *testing.T) (light, dark map[string]string) {
	t.Helper()
	dim := strings.Index(css, "prefers-color-scheme: dark")
	end := strings.Index(css, "* { box-sizing")
	if dim < 0 || end < dim {
		t.Fatal("the style does not begin with its colours")
	}
	read := func(part string) map[string]string {
		all := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(part, -1) {
			all[m[1]] = m[2]
		}
		return all
	}
	light, dark = read(css[:dim]), read(css[dim:end])
	if len(light) != len(dark) || len(light) < 30 {
		t.Fatalf("%d light colours and %d dark ones", len(light), len(dark))
	}
	return light, dark
}

// luminance returns WCAG's relative luminance of a colour.
func luminance(hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// contrast returns WCAG's contrast ratio of two colours.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// The contrast is at least what WCAG 2.2 requires at level AA: 4.5 for text and 3 for
// drawings.
func TestColoursHaveEnoughContrast(t *testing.T) {
	if c := contrast("000000", "ffffff"); math.Abs(c-21) > 0.01 {
		t.Fatalf("black on white: got %.2f, want 21", c)
	}
	type pair struct {
		on   string
		over []string
		want float64
	}
	pairs := []pair{
		{"text", []string{"page", "card", "code"}, 4.5},
		{"quiet", []string{"page", "card", "code"}, 4.5},
		{"link", []string{"page", "card"}, 4.5},
		{"fill", []string{"card", "track"}, 3},
		{"share", []string{"card", "track"}, 3},
		{"critical", []string{"track"}, 3},
	}
	for _, tone := range []string{"critical", "warning", "ok", "info", "unknown"} {
		pairs = append(pairs, pair{tone, []string{"page", "card", tone + "-tint"}, 4.5}, pair{tone + "-on", []string{tone + "-solid"}, 4.5})
	}
	light, dark := colours(t)
	for name, style := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, p := range pairs {
			for _, ground := range p.over {
				if style[p.on] == "" || style[ground] == "" {
					t.Fatalf("%s: no colour %s or %s", name, p.on, ground)
				}
				if got := contrast(style[p.on], style[ground]); got < p.want {
					t.Errorf("%s: %s on %s has a contrast of %s, want %.1f", name, p.on, ground, fmt.Sprintf("%.2f", got), p.want)
				}
			}
		}
	}
}
