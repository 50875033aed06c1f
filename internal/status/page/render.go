package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

//go:embed page.html style.css
var files embed.FS

// A Renderer makes the page.
type Renderer struct {
	page  *template.Template
	style []byte
}

// NewRenderer returns a Renderer.
func NewRenderer() (*Renderer, error) {
	t, err := template.New("").Funcs(template.FuncMap{"words": words, "overall": overall, "x": func(i int) int { return i * 10 }}).ParseFS(files, "page.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return &Renderer{page: t, style: style}, nil
}

// Style is the style sheet of the page.
func (r *Renderer) Style() []byte { return r.style }

// Page is the HTML of the snapshot.
func (r *Renderer) Page(s Snapshot) ([]byte, error) {
	var b bytes.Buffer
	if err := r.page.ExecuteTemplate(&b, "page.html", s); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return b.Bytes(), nil
}

// When is a time in the page's zone.
func (s Snapshot) When(t time.Time) string { return t.In(s.Zone).Format("2006-01-02 15:04 MST") }

// overall is the state of everything in one sentence.
func overall(i report.Impact) string {
	switch i {
	case report.Operational:
		return "All systems operational"
	case report.UnderMaintenance:
		return "Maintenance in progress"
	case report.DegradedPerformance:
		return "Degraded performance"
	case report.PartialOutage:
		return "Partial outage"
	case report.MajorOutage:
		return "Major outage"
	}
	return "Some systems are not reporting"
}
