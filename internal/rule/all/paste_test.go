package all_test

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	incident "github.com/nodewatch/nodewatch/internal/tape/script"
)

// shellWords splits a command into words and operators as a POSIX shell does.
// Anything that a shell would expand, or incomplete input, is an error.
func shellWords(command string) (words []string, err error) {
	word, in := "", false
	end := func() {
		if in {
			words = append(words, word)
		}
		word, in = "", false
	}
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == '\'':
			n := strings.IndexByte(command[i+1:], '\'')
			if n < 0 {
				return nil, errors.New("a quote is not closed")
			}
			word, in = word+command[i+1:i+1+n], true
			i += n + 1
		case c == '\\' && i+1 < len(command):
			i++
			word, in = word+command[i:i+1], true
		case strings.IndexByte("\\\"`$#~!?[]{}<>()\n\r", c) >= 0:
			return nil, errors.New("the shell would make something of " + string(c))
		case strings.IndexByte(";|&", c) >= 0:
			end()
			words = append(words, string(c))
		case c == ' ' || c == '\t':
			end()
		default:
			word, in = word+string(c), true
		}
	}
	end()
	return words, nil
}

// FuzzPaste: a pasted command has exactly the intended words, or is empty; it is
// empty only if a name is empty, begins with "-", or contains invisible characters.
func FuzzPaste(f *testing.F) {
	for _, name := range []string{"bond0", "", "-a", "a;reboot", "it's", "a b", "$(id)", "`id`", "a\nb", "a\x1b[201~b", "\"", "\\", "''",
		"'\\''", "*", "~", "!x", "#", "a=b", "ä", "\u202e", "\xff", "%s%d"} {
		f.Add(name, "x")
	}
	f.Fuzz(func(t *testing.T, name, other string) {
		unfit := func(name string) bool {
			return name == "" || name[0] == '-' || !strings.ContainsFunc(name, unicode.IsPrint) ||
				strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
		}
		command := rule.ShellCommand("see dev %s; look %s", name, other)
		if (command == "") != (unfit(name) || unfit(other)) {
			t.Fatalf("%q and %q gave %q", name, other, command)
		}
		if command == "" {
			return
		}
		words, err := shellWords(command)
		if want := []string{"see", "dev", name, ";", "look", other}; err != nil || !slices.Equal(words, want) {
			t.Fatalf("%s: got %q, %v, want %q", command, words, err, want)
		}
	})
}

// A real shell parses a pasted name as one word.
func TestPasteInAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh here")
	}
	for _, name := range []string{"bond0", "a;reboot", "it's", "a b  c", "$(id)", "`id`", "\"", "\\", "''", "*", "~root", "!x", "#", "a=b",
		"a&b|c>d<e", "{a,b}", "[ab]", "%s", "ä"} {
		out, err := exec.Command(sh, "-c", rule.ShellCommand("printf %s %s", "<%s>", name)).Output()
		if err != nil || string(out) != "<"+name+">" {
			t.Errorf("%q: got %q, %v", name, out, err)
		}
	}
}

// worldNames are the names that others choose on a node: interfaces, guests, images,
// devices above a disk, and releases.
var worldNames = regexp.MustCompile(`^(bond|eth|eno|ens|enp|vmbr|storage|vlan|vm|web|db|ct|win|guest|host|dm-|nvme|disk|ceph|node|osd|rbd|ssd|img|6\.|5\.)[A-Za-z0-9_.+-]*$`)

// nameFields are the JSON names of the fields that hold such names.
var nameFields = strings.Fields("name image pool namespace id device link ports release lower bond slave master peer")

// renamed returns a deep copy of a value with change applied to every name. Words that
// have a meaning in nodewatch are left unchanged. field is the JSON name of the field that
// holds the value.
func renamed(field string, v reflect.Value, change func(string) string) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.Set(reflect.New(v.Type().Elem()))
			c.Elem().Set(renamed(field, v.Elem(), change))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				c.Field(i).Set(renamed(strings.ToLower(cmp.Or(tag, f.Name)), v.Field(i), change))
			}
		}
	case reflect.Slice:
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(renamed(field, v.Index(i), change))
		}
	case reflect.String:
		if s := v.String(); slices.Contains(nameFields, field) && (worldNames.MatchString(s) || field == "id") &&
			!strings.HasPrefix(s, "osd") && !strings.HasPrefix(s, "rbd") {
			c.SetString(change(s))
		}
	}
	return c
}

// advised replays the story and some incidents with changed names, and returns each
// advised command with the rules that advise it.
func advised(t *testing.T, change func(string) string) map[string][]string {
	t.Helper()
	commands := map[string][]string{}
	play := func(list iter.Seq[node.Entry]) {
		j := judge.New(all.Default())
		for e := range list {
			switch e.Obs.(type) {
			case nil, node.Started, node.Settings, node.SawIO, node.SawPending: // observations without names, or with numbered names only
			default:
				e.Obs = renamed("", reflect.ValueOf(e.Obs), change).Interface().(node.Observation)
			}
			v, judged := j.Take(e)
			if !judged {
				continue
			}
			for _, f := range v.Report.Findings {
				for _, a := range f.Advice {
					if !slices.Contains(commands[a.Command], f.Rule) {
						commands[a.Command] = append(commands[a.Command], f.Rule)
					}
				}
			}
		}
	}
	play(slices.Values(story()))
	for _, name := range []string{"all-osds-gone", "blocklisted", "slave-flap", "windows-without-rxbounce"} {
		data, err := os.ReadFile("../../../testdata/incidents/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		in, err := incident.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		play(in.Entries())
	}
	return commands
}

// evil contains every character that is special to a shell, except line breaks.
const evil = ` 'x";$(a)` + "`b`" + `\|&<>*!`

// wantSafe fails unless a command has exactly the intended words, and returns it with
// NAME in place of each word that contains a name.
func wantSafe(t *testing.T, by, command string) (kind string) {
	t.Helper()
	words, err := shellWords(strings.ReplaceAll(command, "*/changelog*", "/changelog"))
	if err != nil {
		t.Errorf("%s: %s: %v", by, command, err)
	}
	for i, w := range words {
		rest := strings.ReplaceAll(w, evil, "")
		if rest != w {
			words[i] = "NAME"
		}
		if rest != w && strings.ContainsAny(strings.ReplaceAll(rest, `\b`, ""), "'\";$()`\\|&<>!") {
			t.Errorf("%s: %s: the word %q holds a part of a name", by, command, w)
		}
	}
	return strings.Join(words, " ")
}

// Even if every name contains all characters that are special to a shell, every advised
// command has exactly the intended words.
func TestAdviceIsSafeToPaste(t *testing.T) {
	kinds := map[string]bool{}
	for command, rules := range advised(t, func(name string) string { return name + evil }) {
		if kind := wantSafe(t, fmt.Sprint(rules), command); strings.Contains(kind, "NAME") {
			kinds[kind] = true
		}
	}
	if len(kinds) < 15 {
		t.Errorf("got %d kinds of commands with names in them, want at least 15: the world is not renamed: %q", len(kinds),
			slices.Sorted(maps.Keys(kinds)))
	}
}

// A name that begins with "-", or contains invisible characters, is in no command.
func TestAdviceLeavesOutWhatCannotBePasted(t *testing.T) {
	for _, change := range []func(string) string{
		func(name string) string { return "-" + name },
		func(name string) string { return name + "\n\x1b[201~" + name },
	} {
		for command, rules := range advised(t, change) {
			words, err := shellWords(strings.ReplaceAll(command, "*/changelog*", "/changelog"))
			if err != nil || strings.ContainsFunc(command, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q: %v", rules, command, err)
			}
			for _, w := range words {
				if worldNames.MatchString(strings.TrimPrefix(w, "-")) && w[0] == '-' {
					t.Errorf("%s: %s: the program would take %s for an option", rules, command, w)
				}
			}
		}
	}
}

// Every advised command is a constant or made by ShellCommand, because nothing else
// handles names safely.
func TestEveryCommandIsConstantOrPasted(t *testing.T) {
	set := token.NewFileSet()
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	fine := func(name string, v ast.Expr) {
		found++
		switch v := v.(type) {
		case *ast.BasicLit:
			return
		case *ast.CallExpr:
			switch f := v.Fun.(type) {
			case *ast.Ident:
				if f.Name == "paste" {
					return
				}
			case *ast.SelectorExpr:
				if f.Sel.Name == "ShellCommand" {
					return
				}
			}
		}
		t.Errorf("%s: %s: a command is neither constant nor pasted", name, set.Position(v.Pos()))
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, is := n.Key.(*ast.Ident); is && key.Name == "Command" {
					fine(name, n.Value)
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if s, is := left.(*ast.SelectorExpr); is && s.Sel.Name == "Command" {
						fine(name, n.Rhs[i])
					}
				}
			}
			return true
		})
	}
	if found < 40 {
		t.Errorf("got %d commands, want more: the test looks at the wrong place", found)
	}
}
