// Package page formats a View for people and programs: the HTML page, the JSON
// document, the summary for a terminal, the Nagios plugin output. It reads only the
// View: no file, no clock, no network.
package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// JSON returns the report as served by /api/v1/report and printed by `check --output
// json`: indented, with a trailing newline, as described by docs/report.schema.json.
// Lists are never null.
func JSON(r report.Report) ([]byte, error) { return encode(complete(r), "  ") }

// ReplayLine returns one line of `replay --output json`: the report, and its time
// since the first entry of the tape or incident. docs/replay.schema.json describes
// it.
func ReplayLine(r report.Report, offset time.Duration) ([]byte, error) {
	return encode(struct {
		Offset float64       `json:"offset_s"`
		Report report.Report `json:"report"`
	}{offset.Seconds(), complete(r)}, "")
}

// complete returns r with empty lists in place of nil ones.
func complete(r report.Report) report.Report {
	r.Components = list(r.Components)
	r.Transitions = list(r.Transitions)
	r.Sources = list(r.Sources)
	r.Findings = list(slices.Clone(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Evidence, f.Against, f.Advice = list(f.Evidence), list(f.Against), list(f.Advice)
	}
	return r
}

// encode returns v as JSON with a trailing newline. <, > and & are not escaped, so
// that commands can be copied. Characters that control a terminal are escaped.
func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("report as JSON: %w", err)
	}
	return escapeControls(b.Bytes()), nil
}

// escapeControls writes control and formatting characters above ASCII and DEL as \u
// escapes. In JSON they occur only in strings; encoding/json itself escapes those
// below a space.
func escapeControls(text []byte) []byte {
	if !bytes.ContainsFunc(text, needsEscape) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if !needsEscape(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.Bytes()
}

func needsEscape(r rune) bool {
	return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
}

// list returns the list, or an empty one for nil.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
