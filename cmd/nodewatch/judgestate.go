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

// saveEvery is how often usual latencies are written down. A new or ended incident
// is at once.
const saveEvery = 10 * time.Minute

// keptState reads what the judge of an earlier run kept; null if nothing is there.
func keptState(dir string) func(context.Context) (json.RawMessage, error) {
	return func(context.Context) (json.RawMessage, error) {
		var raw json.RawMessage
		err := statefile.Judge(dir).Load(&raw)
		return raw, err
	}
}

// A stateKeeper writes down what the judge must not forget. The loop never waits for
// the disk: while a write is under way, what is due waits for the next View.
type stateKeeper struct {
	file  func() (statefile.File, bool) // false: not decided yet, or nothing is kept
	views chan judge.View
	saved time.Time
	last  *report.Incident
}

// keepState returns a keeper that writes until ctx ends, to the file once it is known.
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

// view hands a View over if something is due.
func (k *stateKeeper) view(v judge.View) {
	in := v.Report.Incident
	if k.saved.IsZero() {
		k.saved, k.last = v.Now, in // nothing is known yet that was not read
	}
	changed := (in == nil) != (k.last == nil) || in != nil && (!in.Begin.Equal(k.last.Begin) || !in.End.Equal(k.last.End) || in.Peak != k.last.Peak)
	if !changed && v.Now.Sub(k.saved) < saveEvery {
		return
	}
	select {
	case k.views <- v:
		k.saved, k.last = v.Now, in
	default:
	}
}
