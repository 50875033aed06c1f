// Package manpage writes man pages for the tests that keep docs/man consistent with the commands
// and the configuration. It uses the macros of man(7) and kingpin's model of a command line, and
// contains nothing specific to nodewatch.
package manpage

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// A Page is a man page under construction.
type Page struct{ b strings.Builder }

// released matches the heading of a release in the changelog.
var released = regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+) / (\d{4}-\d{2}-\d{2})$`)

// New starts the page with the given name and section, such as nodewatch and 1, and a
// short description. Its version and date are those of the newest release in the
// changelog file.
func New(name string, section int, about, changelog string) (*Page, error) {
	raw, err := os.ReadFile(changelog)
	if err != nil {
		return nil, err
	}
	latest := released.FindSubmatch(raw)
	if latest == nil {
		return nil, errors.New(changelog + " has no release: \"## 0.1.0 / 2026-11-30\"")
	}
	p := &Page{}
	fmt.Fprintf(&p.b, ".\\\" Generated: change the command or the configuration, then run \"make docs\".\n")
	fmt.Fprintf(&p.b, ".TH %s %d %s \"nodewatch %s\"\n.nh\n.ad l\n.SH NAME\n%s \\- %s\n", strings.ToUpper(Escape(name)), section, latest[2],
		latest[1], Escape(name), Escape(about))
	return p, nil
}

// Section starts a section.
func (p *Page) Section(title string) {
	fmt.Fprintf(&p.b, ".SH %s\n", Escape(strings.ToUpper(title)))
}

// Subsection starts a part of a section.
func (p *Page) Subsection(title string) { fmt.Fprintf(&p.b, ".SS %s\n", Escape(title)) }

// Text writes paragraphs, separated by an empty line.
func (p *Page) Text(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 || p.within() {
			p.b.WriteString(".PP\n")
		}
		p.b.WriteString(Escape(strings.Join(strings.Fields(paragraph), " ")) + "\n")
	}
}

// within reports whether the section already has text: a paragraph then needs a break.
func (p *Page) within() bool {
	all := strings.TrimSuffix(p.b.String(), "\n")
	last := all[strings.LastIndexByte(all, '\n')+1:]
	return !strings.HasPrefix(last, ".SH") && !strings.HasPrefix(last, ".SS")
}

// Item writes a term in bold, its value in italics if there is one, and its
// description.
func (p *Page) Item(term, value, text string) {
	fmt.Fprintf(&p.b, ".TP\n\\fB%s\\fR", Escape(term))
	if value != "" {
		fmt.Fprintf(&p.b, " \\fI%s\\fR", Escape(value))
	}
	fmt.Fprintf(&p.b, "\n%s\n", Escape(strings.Join(strings.Fields(text), " ")))
}

// Code writes lines unchanged.
func (p *Page) Code(text string) {
	if p.within() {
		p.b.WriteString(".PP\n")
	}
	p.b.WriteString(".nf\n.RS 4\n")
	for line := range strings.Lines(strings.TrimSuffix(text, "\n") + "\n") {
		p.b.WriteString(Escape(strings.TrimSuffix(line, "\n")) + "\n")
	}
	p.b.WriteString(".RE\n.fi\n")
}

// Synopsis writes the section with a line for each command that is not hidden.
func (p *Page) Synopsis(app *kingpin.ApplicationModel) {
	p.Section("synopsis")
	for _, cmd := range visible(app) {
		line := app.Name + " " + cmd.FullCommand
		if len(cmd.Flags) > 0 {
			line += " [flags]"
		}
		if len(cmd.Args) > 0 {
			line += " " + cmd.ArgSummary()
		}
		first, _, _ := strings.Cut(cmd.Help, ". ")
		p.Item(line, "", strings.TrimSuffix(first, ".")+".")
	}
}

// Commands writes the section with the arguments and flags of each command, and the
// section with the global flags.
func (p *Page) Commands(app *kingpin.ApplicationModel) {
	p.Section("commands")
	for _, cmd := range visible(app) {
		p.Subsection(app.Name + " " + cmd.FullCommand)
		p.Text(cmd.Help)
		for _, a := range cmd.Args {
			p.Item(a.Name, "", a.HelpWithEnvar())
		}
		for _, f := range cmd.Flags {
			if !f.Hidden {
				p.flag(f)
			}
		}
	}
	p.Section("options")
	p.Text("For every command:")
	p.Item("-h, --help", "", "Print the help of "+app.Name+", or of a command.")
	p.Item("--version", "", "Print version, revision, date, Go and platform.")
}

// visible returns the commands to document.
func visible(app *kingpin.ApplicationModel) (list []*kingpin.CmdModel) {
	for _, cmd := range app.FlattenedCommands() {
		if !cmd.Hidden && cmd.Name != "help" {
			list = append(list, cmd)
		}
	}
	return list
}

func (p *Page) flag(f *kingpin.FlagModel) {
	name, value := "--"+f.Name, ""
	if f.Short != 0 {
		name = fmt.Sprintf("-%c, %s", f.Short, name)
	}
	if !f.IsBoolFlag() {
		value = f.FormatPlaceHolder()
	}
	p.Item(name, value, f.HelpWithEnvar())
}

// SeeAlso ends the page with references to other pages, such as nodewatch.yml(5).
func (p *Page) SeeAlso(pages ...string) {
	p.Section("see also")
	for i, page := range pages {
		name, section, _ := strings.Cut(strings.TrimSuffix(page, ")"), "(")
		end := ","
		if i == len(pages)-1 {
			end = ""
		}
		fmt.Fprintf(&p.b, ".BR %s (%s)%s\n", Escape(name), section, end)
	}
	fmt.Fprintf(&p.b, ".PP\nhttps://github.com/nodewatch/nodewatch\n")
}

// String returns the page.
func (p *Page) String() string { return p.b.String() }

// Escape escapes text for roff: its requests and escapes, and hyphens that readers
// may copy.
func Escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`, "`", "").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
