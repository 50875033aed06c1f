package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/term"

	"github.com/nodewatch/nodewatch/internal/page"
)

// A colorFlag is --color, and --colour, its former name.
type colorFlag struct{ value, deprecated *string }

func newColorFlag(cmd *kingpin.CmdClause) *colorFlag {
	words := []string{"auto", "always", "never"}
	return &colorFlag{
		value:      cmd.Flag("color", "Color the output: auto, always or never.").Default("auto").Enum(words...),
		deprecated: cmd.Flag("colour", "Deprecated: use --color.").Hidden().Enum(words...),
	}
}

// The default widths of an output that is no terminal: a file or a program gets lines
// wide enough for texts and narrow enough for a ticket.
const (
	pipedWidth    = 100
	terminalWidth = 80
)

// style returns the style of the output: its width is COLUMNS if that is set, or else
// that of the terminal.
func (p program) style(color *colorFlag) page.Style {
	f, is := p.out.to.(*os.File)
	is = is && term.IsTerminal(int(f.Fd()))
	s := page.Style{Width: pipedWidth, Whole: !is}
	if is {
		s.Width = terminalWidth
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 { // a serial console has the size 0x0
			s.Width = w
		}
	}
	if w, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && w > 0 {
		s.Width, s.Whole = w, false
	}
	if color == nil { // only sentences
		return s
	}
	when := *color.value
	if *color.deprecated != "" {
		fmt.Fprintln(p.err, "nodewatch: warning: --colour is deprecated; use --color")
		when = *color.deprecated
	}
	switch when {
	case "always":
		s.Color = true
	case "auto":
		s.Color = is && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return s
}

// tableStyle returns the style of a table: in output to a program, each row has one
// line.
func (p program) tableStyle(color *colorFlag) page.Style {
	s := p.style(color)
	if s.Whole {
		s.Width = 0
	}
	return s
}
