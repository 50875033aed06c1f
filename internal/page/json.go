// Package page knows how a View looks to people and to programs: one HTML page,
// the JSON document, the summary for a terminal, the line for Nagios. It reads
// nothing but the View: no file, no clock, no network.
package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// JSON is the report as /api/v1/report and `check --output json` give it:
// indented, with a line break at its end, as docs/report.schema.json describes
// it. Lists are never null.
func JSON(r report.Report) ([]byte, error) {
	r.Components = list(r.Components)
	r.Transitions = list(r.Transitions)
	r.Sources = list(r.Sources)
	r.Findings = list(slices.Clone(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Evidence, f.Against, f.Advice = list(f.Evidence), list(f.Against), list(f.Advice)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // commands stay as they are to be typed
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("report as JSON: %w", err)
	}
	return b.Bytes(), nil
}

// list is the list itself, and an empty one for none.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
