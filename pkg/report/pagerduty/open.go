package pagerduty

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// mostOpen is the maximum number of alerts that are stored.
const mostOpen = 4096

// An alert is one that was sent to PagerDuty and is not resolved.
type alert struct {
	Severity  report.Severity      `json:"severity"`  // as last reported
	Component report.ComponentName `json:"component"` // of ours
}

// open stores the open alerts. They survive restarts if the file does. It is safe for
// concurrent use.
type open struct {
	file statefile.File

	mu    sync.Mutex
	all   map[string]alert // by dedup key
	own   map[string]bool  // by dedup key: reported in this run
	dirty bool
	lost  error // why the alerts left open by an earlier run are unknown
}

// load reads the alerts that an earlier run left open. If they cannot be read, no
// alert counts as open, and the first save returns the error.
func load(file statefile.File) *open {
	o := &open{file: file, own: map[string]bool{}}
	if o.lost = file.Load(&o.all); o.lost != nil || o.all == nil {
		o.all = map[string]alert{}
	}
	return o
}

// save saves what has changed since it was last called.
func (o *open) save() error {
	o.mu.Lock()
	dirty, now, lost := o.dirty, maps.Clone(o.all), o.lost
	o.dirty, o.lost = false, nil
	o.mu.Unlock()
	if !dirty {
		return lost
	}
	err := o.file.Save(now)
	if err != nil {
		o.mu.Lock()
		o.dirty = true
		o.mu.Unlock()
	}
	return errors.Join(lost, err)
}

// sent records that an alert is open.
func (o *open) sent(key string, a alert) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.all[key]; !known && len(o.all) >= mostOpen {
		return // it is resent each time, which does not page again
	}
	if o.all[key] != a {
		o.all[key], o.dirty = a, true
	}
	o.own[key] = true
}

// resolved records that an alert is not open.
func (o *open) resolved(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, key)
	delete(o.own, key)
	o.dirty = true
}

func (o *open) get(key string) (alert, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a, ok := o.all[key]
	return a, ok
}

// over returns the sorted keys of open alerts whose finding is no longer raised in
// the Report. Alerts left open by an earlier run are excluded while this run is
// warming up or the component is not visible.
func (o *open) over(r report.Report, raised map[string]bool) []string {
	unseen := map[report.ComponentName]bool{}
	for _, c := range r.Components {
		unseen[c.Name] = c.Status == report.Unknown || c.State == report.Blind
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var keys []string
	for key, a := range o.all {
		if !raised[key] && (o.own[key] || !r.WarmingUp() && !unseen[a.Component]) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
