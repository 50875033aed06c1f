package intake

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// The limits of one Alertmanager delivery.
const (
	maxWebhook = 1 << 20 // bytes
	maxAlerts  = 1000
)

// The labels of an alert that are evaluated.
const (
	componentLabel = "component" // the affected public component
	impactLabel    = "impact"    // the impact on customers; absent: derived from the severity
)

// A webhook is an Alertmanager delivery, version 4.
type webhook struct {
	Version string `json:"version"`
	Alerts  []struct {
		Status      string            `json:"status"` // firing, resolved
		Labels      map[string]string `json:"labels"`
		Starts      time.Time         `json:"startsAt"`
		Fingerprint string            `json:"fingerprint"`
	} `json:"alerts"`
}

// alertmanager receives an Alertmanager delivery: POST /v1/alertmanager. Alerts
// without a component are counted and otherwise ignored.
func (i *Intake) alertmanager(w http.ResponseWriter, q *http.Request) {
	now := i.config.Now()
	k, no := i.admitted(q, store.AlertmanagerToken, now)
	if no != nil {
		i.refuse(w, *no)
		return
	}
	raw, no := limited(q, maxWebhook)
	if no != nil {
		i.refuse(w, *no)
		return
	}
	var hook webhook
	wrong := ""
	switch err := json.Unmarshal(raw, &hook); {
	case err != nil:
		wrong = err.Error()
	case hook.Version != "4":
		wrong = "only version 4 of Alertmanager's webhook is supported"
	case len(hook.Alerts) > maxAlerts:
		wrong = "more than 1000 alerts; set max_alerts in Alertmanager"
	}
	if wrong != "" {
		i.refuse(w, receiver.Refused{Code: http.StatusUnprocessableEntity, Refusal: native.Refusal{Error: wrong}})
		return
	}
	var ignored uint64
	err := i.store.Update(q.Context(), func(tx *store.Tx) (err error) {
		if err := tx.UseToken(q.Context(), k, now); err != nil {
			return err
		}
		ignored, err = keepAlerts(q.Context(), tx, hook, now)
		return err
	})
	if err != nil {
		i.failed(err)
		i.unavailable(w)
		return
	}
	i.counts.alerts.Add(uint64(len(hook.Alerts)) - ignored)
	i.counts.ignored.Add(ignored)
	i.write(w, http.StatusOK, struct {
		Taken   int    `json:"taken"`
		Ignored uint64 `json:"ignored"`
	}{len(hook.Alerts) - int(ignored), ignored})
}

// keepAlerts stores the alerts and the states of their components.
func keepAlerts(ctx context.Context, tx *store.Tx, hook webhook, now time.Time) (ignored uint64, err error) {
	components := map[string]bool{}
	for _, a := range hook.Alerts {
		component := a.Labels[componentLabel]
		if component == "" || len(component) > 63 || a.Fingerprint == "" || len(a.Fingerprint) > 64 || len(a.Labels["alertname"]) > 200 {
			ignored++
			continue
		}
		components[component] = true
		if a.Status == "firing" {
			starts := clamp(a.Starts, now.Add(-oldest), now)
			err = tx.Fire(ctx, store.Alert{Fingerprint: a.Fingerprint, Component: component, Impact: impactOf(a.Labels),
				Name: a.Labels["alertname"], Starts: starts})
		} else {
			err = tx.Resolve(ctx, a.Fingerprint)
		}
		if err != nil {
			return ignored, err
		}
	}
	for component := range components {
		if err := alerted(ctx, tx, component, now); err != nil {
			return ignored, err
		}
	}
	return ignored, nil
}

// oldest is the maximum age that is accepted as the start of a new alert.
const oldest = time.Hour

// alerted stores the state of a component that follows from its firing alerts. A
// worse state begins with its alert, but not before the state that it follows.
func alerted(ctx context.Context, tx *store.Tx, component string, now time.Time) error {
	worst, err := tx.WorstAlert(ctx, component)
	if err != nil {
		return err
	}
	states, err := tx.States(ctx, store.Alerted, "")
	if err != nil {
		return err
	}
	c := uptime.Change{At: now, State: worst.Impact}
	if was, known := states[component]; worst.Impact.Rank() > report.Operational.Rank() &&
		(!known || worst.Impact.Rank() > was.State.Rank()) {
		c.At = worst.Starts
		if known && c.At.Before(was.At) {
			c.At = was.At
		}
	}
	return set(ctx, tx, store.Key{Kind: store.Alerted, Name: component}, store.Signal{Summary: worst.Name}, c)
}

// impactOf returns the impact of an alert on customers.
func impactOf(labels map[string]string) report.Impact {
	if i := report.Impact(labels[impactLabel]); slices.Contains(report.Impacts(), i) {
		return i
	}
	switch labels["severity"] {
	case "critical":
		return report.MajorOutage
	case "warning":
		return report.DegradedPerformance
	}
	return report.Operational
}

func clamp(t, from, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	}
	return t
}
