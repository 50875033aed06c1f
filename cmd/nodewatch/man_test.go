package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/test/manpage"
)

// model returns the model of the command line.
func model(t *testing.T) *kingpin.ApplicationModel {
	t.Helper()
	code := 0
	return program{in: strings.NewReader(""), out: &output{to: &bytes.Buffer{}}, err: &bytes.Buffer{}}.application(context.Background(),
		&code).Model()
}

func newPage(t *testing.T, name string, section int, about string) *manpage.Page {
	t.Helper()
	p, err := manpage.New(name, section, about, "../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// commandsPage returns nodewatch(1): the command line, and a short description of
// each rule.
func commandsPage(t *testing.T) string {
	app := model(t)
	p := newPage(t, "nodewatch", 1, "watch the storage path of a Ceph/KVM hypervisor")
	p.Synopsis(app)
	p.Section("description")
	p.Text(`nodewatch reads the kernel's state of bonds, NICs, krbd and libceph, maps it to the guests, and reports known
failure patterns: what is wrong, which guests are affected, the evidence for and against each cause, and what to do next. The daemon serves a page,
metrics and a JSON API on 127.0.0.1:10090; the other commands find it automatically.`)
	p.Commands(app)
	p.Section("rules")
	p.Text("Each failure pattern has a rule. nodewatch rules RULE explains one, with its thresholds and the next steps.")
	for _, r := range all.Rules() {
		p.Item(r.ID, "", strings.ToUpper(r.Title[:1])+r.Title[1:]+". Severity: "+r.Severity+".")
	}
	p.Section("exit status")
	p.Text("nodewatch check and nodewatch replay follow the convention of monitoring plugins:")
	p.Item("0", "", "check: no finding, or informational ones. Other commands: done.")
	p.Item("1", "", "check: a warning, or no daemon is running (with --output nagios). run: it cannot start.")
	p.Item("2", "", "check: a critical finding. Other commands: wrong usage or configuration, or they failed.")
	p.Item("3", "", "check: unknown. Any command: standard output cannot be written, and it would have exited with 0. The daemon continues without its standard output.")
	p.Section("environment")
	p.Item("NODEWATCH_CONFIG", "", "Configuration file, if --config.file is not set.")
	p.Item("RUNTIME_DIRECTORY, STATE_DIRECTORY", "", "Set by systemd: directories of the daemon's socket and of its state.")
	p.Item("NO_COLOR", "", "If not empty, the output of check is not coloured.")
	p.Section("files")
	p.Item("/etc/nodewatch/nodewatch.yml", "", "The usual path of the configuration, which is optional; it is set in ARGS.")
	p.Item("/etc/default/nodewatch, /etc/sysconfig/nodewatch", "",
		"ARGS: flags of nodewatch run under systemd, such as ARGS=\"--config.file=/etc/nodewatch/nodewatch.yml\".")
	p.Item("/run/nodewatch/nodewatch.sock", "", "The page and the API, for root and the group nodewatch.")
	p.Item("/run/nodewatch/daemon.json", "", "The daemon's address, for other commands.")
	p.Item("/var/lib/nodewatch", "", "State: maintenance, acknowledged findings, usual latencies, and the reporters' state.")
	p.Section("examples")
	p.Text("Print the current problems of this node, for people and for a monitoring system:")
	p.Code("nodewatch check\nnodewatch check --output nagios")
	p.Text("Prevent pages during work on this node:")
	p.Code("nodewatch maintenance start --for 2h --reason \"new NIC\"")
	p.Text("Explain a rule, check a configuration, and test the reporters:")
	p.Code("nodewatch rules krbd-stalled\nnodewatch check-config /etc/nodewatch/nodewatch.yml\nnodewatch report test")
	p.SeeAlso("nodewatch.yml(5)", "nodewatch-ceph(1)", "systemd.exec(5)")
	return p.String()
}

// link matches a link in Markdown.
var link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// configurationPage returns nodewatch.yml(5), generated from the documentation of the
// configuration.
func configurationPage(t *testing.T) string {
	p := newPage(t, "nodewatch.yml", 5, "configuration of nodewatch")
	p.Section("description")
	var paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			p.Text(link.ReplaceAllString(strings.Join(paragraph, " "), "$1"))
			paragraph = nil
		}
	}
	var code *strings.Builder
	table := "" // the first word of its header
	for line := range strings.Lines(config.Markdown()) {
		line = strings.TrimSuffix(line, "\n")
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		for i, c := range cells {
			cells[i] = strings.Trim(c, "` ")
		}
		isHead := strings.HasPrefix(line, "| field |") || strings.HasPrefix(line, "| backend |") || strings.HasPrefix(line, "| rule |")
		switch {
		case strings.HasPrefix(line, "```") && code == nil:
			end()
			code = &strings.Builder{}
		case strings.HasPrefix(line, "```"):
			p.Code(code.String())
			code = nil
		case code != nil:
			code.WriteString(line + "\n")
		case strings.HasPrefix(line, "## "):
			end()
			p.Section(line[3:])
		case isHead:
			end()
			table = cells[0]
		case strings.HasPrefix(line, "# "), strings.HasPrefix(line, "|---"):
		case strings.HasPrefix(line, "| ") && table == "field": // field, default, description
			p.Item(cells[0], "", sentence(cells[2])+" Default: "+cells[1]+".")
		case strings.HasPrefix(line, "| ") && table == "backend":
			p.Item(cells[0], "", fmt.Sprintf("%s Default of every: %s, deadline: %s, silenced: %s.", sentence(cells[4]), cells[1],
				cells[2], cells[3]))
		case strings.HasPrefix(line, "| "): // rule, threshold, default, allowed values, description
			p.Item("rules."+cells[0]+"."+cells[1], "", sentence(cells[4])+" Default: "+cells[2]+"; "+cells[3]+".")
		case line == "":
			end()
		default:
			paragraph = append(paragraph, line)
		}
	}
	end()
	p.Section("exit status")
	p.Text("nodewatch check-config FILE exits with 0 if the daemon would start with the file, and otherwise with 2 and one line for each error.")
	p.Section("environment")
	p.Item("NODEWATCH_CONFIG", "", "The file, if --config.file is not set.")
	p.Section("files")
	p.Item("/etc/nodewatch/nodewatch.yml", "", "The usual path of the file.")
	p.Item("/usr/share/doc/nodewatch/examples/nodewatch.yml", "", "An example.")
	p.Section("examples")
	example, err := os.ReadFile("../../packaging/nodewatch.yml")
	if err != nil {
		t.Fatal(err)
	}
	p.Code(string(example))
	p.SeeAlso("nodewatch(1)", "nodewatch-ceph(1)")
	return p.String()
}

// sentence returns a cell's text as a sentence.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

func TestDocsManPagesAreFresh(t *testing.T) {
	for name, text := range map[string]string{"nodewatch.1": commandsPage(t), "nodewatch.yml.5": configurationPage(t)} {
		file := filepath.Join("../../docs/man", name)
		if *update {
			installFile(t, file, []byte(text), 0o644)
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, string(raw)); diff != "" {
			t.Errorf("%s is stale; make docs writes it (-command +file)\n%s", file, diff)
		}
	}
}

// Every page can be shown by man without a warning, and found by whatis.
func TestManPagesAreValid(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed; make deps installs it")
	}
	pages, err := filepath.Glob("../../docs/man/*.[1-8]")
	if err != nil || len(pages) < 3 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	tree := t.TempDir()
	for _, page := range pages {
		if out, err := exec.Command(mandoc, "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"} {
			if !strings.Contains(string(raw), "\n.SH "+section+"\n") && (section != "SYNOPSIS" || strings.HasSuffix(page, ".1")) {
				t.Errorf("%s has no section %s", page, section)
			}
		}
		section := filepath.Ext(page)[1:]
		installFile(t, filepath.Join(tree, "man"+section, filepath.Base(page)), raw, 0o644)
	}
	index := exec.Command("sh", "-c",
		`if command -v makewhatis >/dev/null; then exec makewhatis "$1"; else exec /usr/sbin/makewhatis "$1"; fi`, "sh", tree)
	if out, err := index.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("makewhatis: %v\n%s", err, out)
	}
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), filepath.Ext(page))
		out, err := exec.Command("sh", "-c",
			`PATH=$PATH:/usr/sbin; if command -v mwhatis >/dev/null; then w=mwhatis; else w=whatis; fi; exec $w -M "$1" "$2"`, "sh", tree,
			name).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), name+"(") || !strings.Contains(string(out), " - ") {
			t.Errorf("whatis %s: %v\n%s", name, err, out)
		}
	}
}

// The shells accept the completion scripts, and the offered words are nodewatch's.
func TestCompletionScriptsAreValid(t *testing.T) {
	for shell, check := range map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"--no-execute"}} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not installed", shell)
			continue
		}
		code, script, _ := called(t, "completion", shell)
		if code != exitOK {
			t.Fatalf("%s: exit %d", shell, code)
		}
		file := filepath.Join(t.TempDir(), "script")
		put(t, file, script)
		if out, err := exec.Command(path, append(check, file)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
}
