package page

import (
	"strings"
	"unicode/utf8"
)

// The minimum width of a table's text, in columns of the terminal: with less,
// optional columns are left out, and with still less the text is written below its
// row.
const (
	leastText    = 28
	leastBesides = 20
	belowIndent  = 4
)

// A table is the output of a list command: columns of short cells, and a text next to
// them.
type table struct {
	columns  []string // titles
	optional int      // how many of the last columns may be left out to fit
	text     string   // title of the text
	rows     []tableRow
}

// A tableRow is one row of a table.
type tableRow struct {
	tone   tone     // tone of the marked cell
	mark   int      // index of the marked cell
	cells  []string // one for each column
	text   string
	remedy string // how to fix the problem in the row; empty: there is none
}

// table writes a table. With a width, no line is wider, and the remedy has its own
// lines; without one, each row is one line, for programs that read lines.
func (t *terminal) table(x table) {
	columns := len(x.columns)
	widths := make([]int, columns)
	for i, title := range x.columns {
		widths[i] = utf8.RuneCountInString(title)
		for _, r := range x.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(Printable(r.cells[i])))
		}
	}
	room := func() int {
		room := max(t.style.Width, leastWidth)
		for _, w := range widths[:columns] {
			room -= w + 2
		}
		return room
	}
	wrapped := t.style.Width > 0
	for wrapped && columns > len(x.columns)-x.optional && room() < leastText {
		columns--
	}
	below := wrapped && room() < leastBesides
	head := tableRow{mark: -1, cells: x.columns, text: x.text}
	if below {
		head.text = ""
	}
	for _, r := range append([]tableRow{head}, x.rows...) {
		var cells strings.Builder
		at := 0
		for i, w := range widths[:columns] {
			cell := Printable(r.cells[i])
			pad := strings.Repeat(" ", w-utf8.RuneCountInString(cell)+2)
			if i == r.mark {
				cell = t.paint(ink(r.tone), cell)
			}
			cells.WriteString(cell + pad)
			at += w + 2
		}
		t.row(cells.String(), at, below, r)
	}
}

// row writes the cells of a row, and its text if it fits.
func (t *terminal) row(cells string, at int, below bool, r tableRow) {
	if t.style.Width <= 0 {
		text := Printable(r.text)
		if r.remedy != "" {
			text = strings.TrimPrefix(text+"; remedy: "+Printable(r.remedy), "; ")
		}
		t.b.WriteString(strings.TrimRight(cells+text, " ") + "\n")
		return
	}
	text := Printable(r.text)
	lines := t.wrap(text, at)
	if below {
		at = belowIndent
		if lines = t.wrap(text, at); text != "" {
			lines = append([]string{""}, lines...)
		}
	}
	if r.remedy != "" {
		lines = append(lines, t.wrap("remedy: "+Printable(r.remedy), at)...)
	}
	for _, line := range lines {
		t.b.WriteString(strings.TrimRight(cells+line, " ") + "\n")
		cells = strings.Repeat(" ", at)
	}
}
