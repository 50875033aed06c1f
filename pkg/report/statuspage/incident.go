package statuspage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Limits on the search for this node's incident among the unresolved ones.
const (
	perPage    = 100
	mostPages  = 5
	mostListed = 2 << 20 // bytes of one page
)

// incidents keeps at most one incident of this node open. The API has no idempotency:
// before each change the unresolved incidents are searched for the one with this
// node's mark in its metadata, so that neither a restart nor a lost response creates
// a second one.
type incidents struct {
	api    *api
	pace   *componentsync.RateLimiter
	looked bool          // the incidents have been read since the start
	own    bool          // the incident was written in this run
	id     string        // id of this node's incident; empty: none is open
	impact report.Impact // the state last written to it
	closed report.Impact // impact at which a person resolved it; empty: no one did

	refused   error // the incident that the page rejected
	refusedAt time.Time
}

// again is the time until a rejected incident is tried again.
const again = 5 * time.Minute

// incident has the fields of an incident that are written and read, with the API's
// names.
type incident struct {
	ID         string          `json:"id,omitempty"`
	Name       string          `json:"name,omitempty"`
	Status     string          `json:"status,omitempty"`
	Override   string          `json:"impact_override,omitempty"`
	Body       string          `json:"body,omitempty"`
	Components []component     `json:"components,omitempty"`
	Affected   []string        `json:"component_ids,omitempty"`
	Notify     *bool           `json:"deliver_notifications,omitempty"` // true if absent
	Metadata   json.RawMessage `json:"metadata,omitempty"`              // of any author
}

// private is nodewatch's part of an incident's metadata.
type private struct {
	Key    string        `json:"key"`
	Impact report.Impact `json:"impact"`
}

// metadata is an incident's metadata, reduced to nodewatch's part.
type metadata struct {
	Nodewatch private `json:"nodewatch"`
}

// ours returns nodewatch's part of the metadata; zero if there is none.
func (x incident) ours() private {
	var m metadata
	if json.Unmarshal(x.Metadata, &m) != nil {
		return private{}
	}
	return m.Nodewatch
}

// override returns the API's term for an impact.
var override = map[report.Impact]string{report.DegradedPerformance: "minor", report.PartialOutage: "major", report.MajorOutage: "critical"}

// sync opens, changes or resolves this node's incident according to the Report. A
// rejection by the page is a Partial failure: the components are updated anyway.
func (i *incidents) sync(ctx context.Context, r report.Report) error {
	if i.refused == nil || r.At.Sub(i.refusedAt).Abs() >= again {
		err := i.try(ctx, r)
		f := report.FailureOf(err)
		if f == nil || f.Kind != report.Misconfigured {
			i.refused = nil
			return err
		}
		i.refused, i.refusedAt = err, r.At
	}
	return &report.Failure{Kind: report.Partial, Err: i.refused}
}

func (i *incidents) try(ctx context.Context, r report.Report) error {
	worst := report.Operational
	for _, c := range componentsync.Named(r, i.api.c.Components) {
		worst = report.Worse(worst, c.Status)
	}
	if worst == report.Unknown || worst == report.UnderMaintenance {
		return nil // neither bad enough for an incident, nor over
	}
	if worst == report.Operational {
		i.closed = ""
		if r.WarmingUp() && !i.own {
			return nil // an earlier run's incident may not be over
		}
	}
	if i.looked && !i.due(worst) {
		return nil
	}
	open, err := i.find(ctx, r)
	if err != nil {
		return fmt.Errorf("looking for an open incident: %w", err)
	}
	i.meet(open, worst)
	if !i.due(worst) {
		return nil
	}
	if err := i.write(ctx, r, open, worst); err != nil {
		return fmt.Errorf("incident: %w", err)
	}
	return nil
}

// due reports whether the page must be updated to this impact.
func (i *incidents) due(worst report.Impact) bool {
	if i.id != "" {
		return worst != i.impact
	}
	return worst.Rank() >= report.Impact(i.api.c.From).Rank() && (i.closed == "" || worst.Rank() > i.closed.Rank())
}

// meet stores the incident that was found.
func (i *incidents) meet(open incident, worst report.Impact) {
	if i.id != "" && open.ID == "" && worst != report.Operational {
		i.closed = i.impact // and is only reopened if the state gets worse than it was
	}
	i.looked, i.id = true, open.ID
	if open.ID != "" {
		i.impact = open.ours().Impact
	}
}

// mark returns a value that distinguishes this node's incident from others without
// naming the node.
func mark(r report.Report) string {
	sum := sha256.Sum256([]byte(r.Key("incident")))
	return hex.EncodeToString(sum[:16])
}

// find returns this node's unresolved incident, or one without an id.
func (i *incidents) find(ctx context.Context, r report.Report) (incident, error) {
	for page := 1; page <= mostPages; page++ {
		var list []incident
		err := i.pace.Do(r, func() error {
			answer, err := i.api.ask(ctx, http.MethodGet, fmt.Sprintf("/incidents/unresolved?page=%d&per_page=%d", page, perPage),
				nil, mostListed)
			if err == nil && json.Unmarshal(answer.Body, &list) != nil {
				err = componentsync.NotAPage(answer, "the list of unresolved incidents")
			}
			return err
		})
		if err != nil {
			return incident{}, err
		}
		for _, open := range list {
			if open.ours().Key == mark(r) {
				return open, nil
			}
		}
		if len(list) < perPage {
			return incident{}, nil
		}
	}
	return incident{}, &report.Failure{Kind: report.Misconfigured,
		Err: fmt.Errorf("more than %d incidents are unresolved: none is opened because this node's may be among them", mostPages*perPage)}
}

// write opens an incident if none is open; otherwise it changes or resolves it. It
// does not overwrite the status identified or monitoring of an open one, which a
// person has set.
func (i *incidents) write(ctx context.Context, r report.Report, open incident, worst report.Impact) error {
	c := i.api.c
	say := incident{Body: c.text(worst), Notify: &c.Notify}
	method, path := http.MethodPatch, "/incidents/"+open.ID
	if worst == report.Operational {
		say.Status = "resolved"
	} else {
		say.Override = override[worst]
		say.Affected = affected(r, open, c)
		say.Metadata, _ = json.Marshal(metadata{private{Key: mark(r), Impact: worst}}) // two words
	}
	if open.ID == "" {
		method, path = http.MethodPost, "/incidents"
		say.Name, say.Status = c.title(worst), "investigating"
	}
	var answer httpclient.Response
	err := i.pace.Do(r, func() (err error) {
		answer, err = i.api.ask(ctx, method, path, map[string]incident{"incident": say}, mostListed)
		return err
	})
	if err != nil {
		return err // the next call searches again before it writes
	}
	var taken incident
	if json.Unmarshal(answer.Body, &taken) != nil || taken.ID == "" {
		return &report.Failure{Kind: report.Misconfigured, Err: errors.New("the response is not a Statuspage incident: " + answer.Line())}
	}
	i.id, i.impact, i.own = taken.ID, worst, true
	if worst == report.Operational {
		i.id = ""
	}
	return nil
}

// affected returns the sorted components that are currently affected, and those that
// the incident already names.
func affected(r report.Report, open incident, c Config) []string {
	var ids []string
	for _, x := range open.Components {
		ids = append(ids, x.ID)
	}
	for _, x := range componentsync.Named(r, c.Components) {
		if x.Status.Rank() > report.Unknown.Rank() {
			ids = append(ids, c.Components[string(x.Name)])
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
