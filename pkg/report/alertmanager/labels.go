package alertmanager

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/report"
)

const (
	maxLabels = 32   // maximum number of configured labels
	maxValue  = 256  // bytes of a label's value
	maxLine   = 1024 // bytes of an annotation of one line
	maxText   = 8192 // bytes of an annotation of several lines
)

// camel converts a rule's name to an alert's name: krbd-retry-storm becomes
// NodewatchKrbdRetryStorm.
func camel(rule string) string {
	name := "Nodewatch"
	for _, word := range strings.FieldsFunc(rule, func(r rune) bool { return !isWord(r) || r == '_' }) {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return value(name)
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// labels returns the labels common to all alerts of the node, and the given ones,
// which take precedence. Empty ones are left out: Alertmanager treats them as absent.
func labels(r report.Report, own map[string]string) map[string]string {
	all := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		name := labelName(k)
		if _, taken := all[name]; !taken && len(all) < maxLabels {
			all[name] = value(r.Labels[k])
		}
	}
	all["node"], all["site"] = value(r.Node), value(r.Site)
	for k, v := range own {
		all[k] = value(v)
	}
	maps.DeleteFunc(all, func(k, v string) bool { return k == "" || v == "" })
	return all
}

// labelName converts a configured label's name to one that Alertmanager accepts:
// [a-zA-Z_][a-zA-Z0-9_]*. Names with two leading underscores are reserved.
func labelName(name string) string {
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		if isWord(r) {
			return r
		}
		return '_'
	}, name), "_")
	if name != "" && name[0] <= '9' {
		name = "_" + name
	}
	return cut(name, maxValue)
}

// value converts a text to a label's value. A text that is too long is cut and gets a
// hash of the whole text, so that two alerts do not become one.
func value(s string) string {
	s = line(s)
	if len(s) <= maxValue {
		return s
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	mark := fmt.Sprintf("...%016x", h.Sum64())
	return cut(s, maxValue-len(mark)) + mark
}

// line converts a text to one line of valid UTF-8 without control characters.
func line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}

// cut returns at most the first n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// key returns the identity of an alert in Alertmanager: its labels.
func key(labels map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%s=%q,", k, labels[k])
	}
	return b.String()
}
