package prometheus_test

import (
	"regexp"
	"slices"
	"strings"
)

// A use is one use of a metric in a query: its name, and the matchers of its labels.
type use struct {
	metric   string
	matchers []matcher
}

type matcher struct{ label, op, value string }

// A query contains the names in a PromQL expression. Extracting them needs no parser:
// promtool checks that the expression is valid.
type query struct {
	uses   []use
	labels []string // in by, without, on, ignoring, group_left, group_right
	made   []string // labels created by label_replace and label_join
}

var (
	metricName = regexp.MustCompile(`^(?:nodewatch_|node_|up$|ALERTS$|[a-z]+:)`)
	word       = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	matching   = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)`)
	making     = regexp.MustCompile(`\blabel_(?:replace|join)\s*\(`)
	quoted     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// named returns the names in a PromQL expression.
func named(expr string) query {
	var q query
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		q.labels = append(q.labels, word.FindAllString(g[1], -1)...)
	}
	// The strings of label_replace(v, "new", "$1", "old", "..."): the first is
	// created, the third is read. They are the only strings outside of matchers.
	if making.MatchString(expr) {
		var outside []string
		for _, s := range quoted.FindAllString(dropMatchers(expr), -1) {
			outside = append(outside, strings.Trim(s, `"`))
		}
		for part := range slices.Chunk(outside, 4) {
			if len(part) == 4 {
				q.made, q.labels = append(q.made, part[0]), append(q.labels, part[2])
			}
		}
	}
	for _, at := range word.FindAllStringIndex(quoted.ReplaceAllStringFunc(expr,
		func(s string) string { return strings.Repeat(" ", len(s)) }), -1) {
		name, rest := expr[at[0]:at[1]], expr[at[1]:]
		if !metricName.MatchString(name) || at[0] > 0 && expr[at[0]-1] == '$' {
			continue
		}
		u := use{metric: name}
		if strings.HasPrefix(rest, "{") {
			for _, m := range matching.FindAllStringSubmatch(rest[:strings.Index(rest, "}")+1], -1) {
				u.matchers = append(u.matchers, matcher{m[1], m[2], m[3]})
			}
		}
		q.uses = append(q.uses, u)
	}
	return q
}

var braces = regexp.MustCompile(`\{[^{}]*\}`)

func dropMatchers(expr string) string { return braces.ReplaceAllString(expr, "") }
