package alertmanager

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Reporter sends the raised findings to every member of a cluster. The members decide
// among themselves which one notifies.
type Reporter struct {
	sender
	members []*member // those that responded last time come first
	memory  memory
}

// New returns a Reporter.
func New(c Config, client *httpclient.Client) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c.Every, c.Deadline = cmp.Or(c.Every, Default().Every), cmp.Or(c.Deadline, Default().Deadline)
	r := &Reporter{sender: sender{Config: c, client: client}}
	for _, base := range c.URLs {
		r.members = append(r.members, &member{base: trimmed(base)})
	}
	return r, nil
}

// Report sends each member the alerts of all findings, and those that ended within the
// last five minutes. An alert that is not resent expires, even if nodewatch has died.
// A failing member does not affect the others; the Failure is Partial if any delivery
// succeeded.
func (r *Reporter) Report(ctx context.Context, p report.Report) error {
	all := r.memory.sent(p, r.alerts(p, p.At.Add(4*r.Every)))
	_, err := r.each(ctx, func(ctx context.Context, m *member) (string, error) {
		return "", m.deliver(ctx, &r.sender, p.At, all)
	})
	return err
}

// Test fires an alert NodewatchTest of severity info, which ends within a minute.
func (r *Reporter) Test(ctx context.Context, p report.Report) (string, error) {
	a := r.made(p, map[string]string{"alertname": "NodewatchTest", "severity": string(report.Info)}, map[string]string{
		"summary":     "TEST from nodewatch on " + line(p.Node) + ": please ignore",
		"description": "A test of whether this node's alerts arrive. It ends automatically within a minute.",
	}, p.At, p.At.Add(time.Minute))
	answers, err := r.each(ctx, func(ctx context.Context, m *member) (string, error) {
		a, err := r.post(ctx, m.base, []alert{a})
		return m.base + ": " + a.Line(), cmp.Or(err, r.clocks(m.base, p.At, a))
	})
	return strings.Join(answers, "; "), err
}

// each calls f for every member with its part of the time: one that hangs leaves time
// for the others, and comes after them the next time.
func (r *Reporter) each(ctx context.Context, f func(context.Context, *member) (string, error)) (answers []string, err error) {
	failures := []*report.Failure{}
	for _, m := range r.members {
		answer, err := func() (string, error) {
			part, cancel := context.WithTimeout(ctx, r.Deadline/time.Duration(len(r.members)))
			defer cancel()
			return f(part, m)
		}()
		if err == nil {
			answers = append(answers, answer)
		} else {
			failures = append(failures, report.FailureOf(err))
		}
		m.failed = err != nil && report.FailureOf(err).Kind != report.Partial
	}
	slices.SortStableFunc(r.members, func(a, b *member) int { return order(a.failed) - order(b.failed) })
	return answers, together(failures, len(r.members))
}

func order(failed bool) int {
	if failed {
		return 1
	}
	return 0
}

// together combines the failures of some of n members into the result of the
// delivery.
func together(failures []*report.Failure, n int) error {
	if len(failures) == 0 {
		return nil
	}
	all := &report.Failure{Kind: report.Partial}
	texts := []string{}
	taken := len(failures) < n
	for _, f := range failures {
		texts = append(texts, f.Err.Error())
		taken = taken || f.Kind == report.Partial
	}
	if !taken {
		all.Kind = report.Misconfigured // also for a 409: the backend cannot have newer data
		for _, kind := range []report.FailureKind{report.Transient, report.Throttled} {
			if i := slices.IndexFunc(failures, func(f *report.Failure) bool { return f.Kind == kind }); i >= 0 {
				all.Kind, all.After = kind, failures[i].After
				break
			}
		}
	}
	all.Err = fmt.Errorf("alertmanager: %d of %d members: %s", len(failures), n, strings.Join(texts, "; "))
	return all
}
