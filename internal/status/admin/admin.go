// Package admin is the operators' side: pages that only they see.
package admin

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/fleet"
)

//go:embed fleet.html
var files embed.FS

// A Renderer makes the operators' pages.
type Renderer struct{ pages *template.Template }

// NewRenderer returns a Renderer.
func NewRenderer() (*Renderer, error) {
	t, err := template.New("").ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return &Renderer{pages: t}, nil
}

// Fleet is the HTML of the fleet table.
func (r *Renderer) Fleet(rows []fleet.Row, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	err := r.pages.ExecuteTemplate(&b, "fleet.html", struct {
		Rows []fleet.Row
		At   time.Time
	}{rows, at})
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return b.Bytes(), nil
}
