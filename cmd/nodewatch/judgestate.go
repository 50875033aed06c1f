package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// saveEvery is how often usual latencies are saved. A new or ended incident is saved
// at once.
const saveEvery = 10 * time.Minute

// keptState reads the state that the judge of an earlier run saved; null if there is
// none.
func keptState(dir string) func(context.Context) (json.RawMessage, error) {
	return func(context.Context) (json.RawMessage, error) {
		var raw json.RawMessage
		err := statefile.Judge(dir).Load(&raw)
		return raw, err
	}
}

// A stateKeeper saves the judge's persistent state. The loop never waits for the
// disk: during a write, due changes wait for the next View.
type stateKeeper struct {
	file  func() (statefile.File, bool) // false: not known yet, or no state is kept
	views chan judge.View
	saved time.Time
	last  *report.Incident
}

// keepState returns a keeper that writes to the file, once it is known, until ctx
// ends.
func keepState(ctx context.Context, file func() (statefile.File, bool), log *slog.Logger) *stateKeeper {
	k := &stateKeeper{file: file, views: make(chan judge.View)}
	go func() {
		failed := ""
		for {
			select {
			case <-ctx.Done():
				return
			case v := <-k.views:
				file, kept := k.file()
				if !kept {
					continue
				}
				now := ""
				if err := file.Save(v.State()); err != nil {
					now = err.Error()
					if now != failed {
						log.Warn("cannot save the latency baselines and the last incident", "err", err)
					}
				}
				failed = now
			}
		}
	}()
	return k
}

// view passes a View on if a save is due.
func (k *stateKeeper) view(v judge.View) {
	in := v.Report.Incident
	if k.saved.IsZero() {
		k.saved, k.last = v.Now, in // no state yet other than what was read
	}
	changed := (in == nil) != (k.last == nil) || in != nil && (!in.Begin.Equal(k.last.Begin) || !in.End.Equal(k.last.End) ||
		in.Peak != k.last.Peak)
	if !changed && v.Now.Sub(k.saved) < saveEvery {
		return
	}
	select {
	case k.views <- v:
		k.saved, k.last = v.Now, in
	default:
	}
}
