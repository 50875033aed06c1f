package config

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"github.com/nodewatch/nodewatch/internal/bounds"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
)

// Markdown documents the file: every field with its default and the allowed values,
// and every threshold of every rule.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Configuration

nodewatch needs no configuration file. To use one, set ` + "`--config.file`" + ` or ` + "`$NODEWATCH_CONFIG`" + `. ` +
		"`nodewatch check-config FILE`" + `
lists all errors, in the file and in the files that it refers to (certificates, the web configuration), or prints that it is valid. Each
error is one line with file, line, field and the allowed values; with an error the daemon does not start (exit code 1). At SIGHUP the file
is reloaded: changed rules apply at once, other changes require a restart. An invalid file changes nothing, is logged, and sets
` + "`nodewatch_config_last_reload_successful`" + ` to 0.

| field | default | description |
|---|---|---|
`)
	fields(&b, reflect.ValueOf(Default()), "")
	b.WriteString(`
## Reporters

` + "`reporters:`" + ` is a list of at most 20 entries. Each has a name and exactly one section of a backend; [reporters.md](reporters.md) has a working
example of each. Secrets are in files, never here; a file name that is not absolute is a systemd credential (` + "`LoadCredential=`" + `).

| field | default | description |
|---|---|---|
`)
	fields(&b, reflect.ValueOf(Reporter{}), "")
	b.WriteString("\nDefaults that depend on the backend:\n\n| backend | `every` | `deadline` | `silenced` | description |\n|---|---|---|---|---|\n")
	for _, x := range backends() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %t | %s |\n", x.name, defaultText(reflect.ValueOf(x.every)),
			defaultText(reflect.ValueOf(x.deadline)), x.silenced, x.about)
	}
	b.WriteString("\nThe sections of the backends:\n\n| field | default | description |\n|---|---|---|\n")
	for _, x := range backends() {
		fields(&b, reflect.ValueOf(x.settings()).Elem(), x.name+".")
	}
	b.WriteString(`
## Thresholds

` + "`rules:`" + ` has a mapping for each rule to be changed. ` + "`off: true`" +
		` switches a rule off. [rules.md](rules.md) explains each rule.

` + "```yaml" + `
rules:
  nic-saturated:
    share: 0.85
  krbd-shared-fate:
    off: true
` + "```" + `

| rule | threshold | default | allowed | description |
|---|---|---|---|---|
`)
	for _, r := range all.Rules() {
		for _, l := range rule.Limits(r) {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", r.ID, l.Name, l.Value, l.Allowed, l.Doc)
		}
	}
	return b.String()
}

// fields writes a row for each field of the struct v; prefix precedes their names.
func fields(b *strings.Builder, v reflect.Value, prefix string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("yaml")
		switch {
		case name == "":
		case f.Type.Kind() == reflect.Struct:
			fields(b, v.Field(i), prefix+name+".")
		default:
			doc := f.Tag.Get("doc")
			if f.Tag.Get("min") != "" {
				doc += "; " + bounds.Allowed(f.Type, f.Tag)
			}
			if words := f.Tag.Get("oneof"); words != "" {
				doc += "; one of " + strings.Join(strings.Fields(words), ", ")
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", prefix+name, cmp.Or(f.Tag.Get("default"), defaultText(v.Field(i))), doc)
		}
	}
}

// defaultText returns a default as written in the file.
func defaultText(v reflect.Value) string {
	if list, is := v.Interface().([]string); is {
		return listed("[" + strings.Join(list, ", ") + "]")
	}
	switch v.Kind() {
	case reflect.String:
		return listed(v.String())
	case reflect.Map, reflect.Slice:
		return listed("")
	}
	return bounds.Text(v)
}

// listed formats a text for a table.
func listed(text string) string {
	if text == "" || text == "[]" {
		return "empty"
	}
	return "`" + strings.ReplaceAll(text, "\n", " ") + "`"
}
