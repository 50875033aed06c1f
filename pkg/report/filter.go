package report

import (
	"net/url"
	"slices"
	"strings"
)

// A Filter selects the parts of a Report that a reporter gets. The zero Filter
// selects everything.
type Filter struct {
	Severity   Severity        // only findings of at least this severity; empty: all severities
	Rules      []string        // only findings of these rules; empty: all rules
	NotRules   []string        // no findings of these rules
	Components []ComponentName // only these components and their findings; empty: all components
	Pageable   bool            // only findings that may page
}

// Pageable reports whether the finding may page: it is not acknowledged, and the node
// is not under maintenance.
func (r Report) Pageable(f Finding) bool { return f.Accepted == nil && r.Maintenance == nil }

// Apply returns the filtered Report. Its lists are new, r is not changed. The status
// of a component follows from its remaining findings; without any it is operational
// or, if the component is not visible, unknown.
func (f Filter) Apply(r Report) Report {
	kept := func(rule string, component ComponentName) bool {
		return (len(f.Rules) == 0 || slices.Contains(f.Rules, rule)) && !slices.Contains(f.NotRules, rule) &&
			(len(f.Components) == 0 || slices.Contains(f.Components, component))
	}
	findings := []Finding{}
	for _, x := range r.Findings {
		if kept(x.Rule, x.Component) && x.Severity.Rank() >= f.Severity.Rank() && (!f.Pageable || r.Pageable(x)) {
			findings = append(findings, x)
		}
	}
	keepExplanations(findings)
	transitions := []Transition{}
	for _, t := range r.Transitions {
		if kept(t.Rule, t.Component) && max(t.From.Rank(), t.To.Rank()) >= f.Severity.Rank() {
			transitions = append(transitions, t)
		}
	}
	r.Components = f.components(r, findings)
	if len(findings) != len(r.Findings) || len(r.Components) == 0 || len(f.Components) > 0 {
		r.Status = worst(r.Components)
	}
	r.Oldest, r.Latest = r.TransitionRange()
	r.Findings, r.Transitions = findings, transitions
	return r
}

// keepExplanations keeps in each finding only the explanations that are in the list,
// because a reader cannot see the others.
func keepExplanations(findings []Finding) {
	listed := make(map[Ref]bool, len(findings))
	for _, f := range findings {
		listed[Ref{f.Rule, f.Subject}] = true
	}
	for i := range findings {
		if by := findings[i].ExplainedBy; slices.ContainsFunc(by, func(x Ref) bool { return !listed[x] }) {
			findings[i].ExplainedBy = slices.DeleteFunc(slices.Clone(by), func(x Ref) bool { return !listed[x] })
		}
	}
}

// components returns the remaining components, with the status that follows from the
// remaining findings.
func (f Filter) components(r Report, findings []Finding) []Component {
	list := []Component{}
	for _, c := range r.Components {
		if len(f.Components) > 0 && !slices.Contains(f.Components, c.Name) {
			continue
		}
		if c.Status != UnderMaintenance {
			c = c.withOnly(r, findings)
		}
		list = append(list, c)
	}
	return list
}

// withOnly returns the component as if the report had only the given findings.
func (c Component) withOnly(r Report, findings []Finding) Component {
	of := func(list []Finding) (own []Finding) {
		for _, x := range list {
			if x.Component == c.Name {
				own = append(own, x)
			}
		}
		return own
	}
	left := of(findings)
	if len(left) == len(of(r.Findings)) {
		return c
	}
	c.Status, c.Summary = Operational, ""
	for _, x := range left {
		if c.Summary == "" || Worse(c.Status, x.Impact) != c.Status {
			c.Status, c.Summary, c.Since = Worse(c.Status, x.Impact), x.Summary, x.LevelSince
		}
	}
	if c.Status == Operational && c.State == Blind {
		c.Status = Unknown
	}
	return c
}

func worst(list []Component) Impact {
	w := Operational
	for _, c := range list {
		w = Worse(w, c.Status)
	}
	return w
}

// Key returns a permanent name of a part of this node, such as a component or a
// finding: nodewatch/SITE/NODE/PART/..., each part escaped as in the path of a URL.
// Backends use it to distinguish a repetition from a new event.
func (r Report) Key(parts ...string) string {
	all := []string{"nodewatch", url.PathEscape(r.Site), url.PathEscape(r.Node)}
	for _, p := range parts {
		all = append(all, url.PathEscape(p))
	}
	return strings.Join(all, "/")
}
