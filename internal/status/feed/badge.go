package feed

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/internal/status/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// badge returns a badge as a picture, or as JSON for shields.io.
func badge(s page.Snapshot, name string) (string, []byte, error) {
	if name == "icon.svg" {
		return "image/svg+xml", fmt.Appendf(nil,
			`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8" fill="%s"/></svg>`,
			wordOf(s.Status).colour), nil
	}
	id, kind, _ := strings.Cut(name, ".")
	label, state, found := find(s, id)
	if !found {
		return "", nil, nil
	}
	w := wordOf(state)
	switch kind {
	case "svg":
		return "image/svg+xml", picture(label, w), nil
	case "json":
		body, err := json.Marshal(struct {
			Schema  int    `json:"schemaVersion"`
			Label   string `json:"label"`
			Message string `json:"message"`
			Colour  string `json:"color"`
		}{1, label, w.text, w.shields})
		if err != nil {
			return "", nil, fmt.Errorf("feed: %w", err)
		}
		return "application/json; charset=utf-8", body, nil
	}
	return "", nil, nil
}

// find returns the name and the state of a component, a group or, for the id status,
// the page.
func find(s page.Snapshot, id string) (label string, state report.Impact, found bool) {
	for _, g := range s.Groups {
		if g.ID == id {
			return g.Name, g.Status, true
		}
		for _, c := range g.Components {
			if c.ID == id {
				return c.Name, c.Status, true
			}
		}
	}
	return s.Title, s.Status, id == "status"
}

// picture returns a badge with two fields.
func picture(label string, w word) []byte {
	left, right := width(label), width(w.text)
	text := escaped(label)
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="20" role="img" aria-label="%s: %s"><title>%s: %s</title>`+
		`<rect width="%d" height="20" rx="4" fill="%s"/><path d="M4 0H%dV20H4a4 4 0 0 1-4-4V4a4 4 0 0 1 4-4z" fill="#3b434d"/>`+
		`<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">`+
		`<text x="%d" y="14" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text><text x="%d" y="14" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text></g></svg>`,
		left+right, text, w.text, text, w.text, left+right, w.colour, left, left/2, left-14, text, left+right/2, right-14, w.text)
}

// width returns the approximate width of a text with its margins, in pixels.
func width(s string) int { return 7*utf8.RuneCountInString(s) + 14 }

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // writing to a buffer cannot fail
	return b.String()
}

// A word is the short text for a state, with its colour.
type word struct{ text, colour, shields string }

func wordOf(i report.Impact) word {
	switch i {
	case report.Operational:
		return word{"operational", "#187a42", "brightgreen"}
	case report.UnderMaintenance:
		return word{"maintenance", "#1f5fc4", "blue"}
	case report.DegradedPerformance:
		return word{"degraded", "#8a5e00", "yellow"}
	case report.PartialOutage:
		return word{"partial outage", "#b04a0b", "orange"}
	case report.MajorOutage:
		return word{"major outage", "#c01f2b", "red"}
	}
	return word{"no data", "#5d6672", "lightgrey"}
}
