package watch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/tape"
)

func TestRecorderNeverBlocksAndSaysWhatItLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuckWriter{release: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		r := NewRecorder(ctx, tape.NewWriter(w), func() error { return nil })
		at := time.Now().UTC()
		for i := range 3000 {
			r.Record(node.Entry{At: at.Add(time.Duration(i) * time.Second)})
			if i == 0 {
				synctest.Wait()
			}
		}
		close(w.release)
		synctest.Wait()
		r.Record(node.Entry{At: at.Add(time.Hour)})
		synctest.Wait()
		cancel()
		if err := r.Wait(); err != nil {
			t.Fatal(err)
		}
		read, lost := playAll(t, &w.Buffer)
		if read+int(lost) != 3001 || lost != 3000-1-1024 {
			t.Errorf("got %d entries and %d lost, want 3001 in all and %d lost", read, lost, 3000-1-1024)
		}
	})
}

func playAll(t *testing.T, r io.Reader) (entries int, lost uint64) {
	t.Helper()
	in := tape.NewReader(r)
	for {
		_, err := in.Next()
		if errors.Is(err, io.EOF) {
			return entries, in.Lost()
		}
		if err != nil {
			t.Fatal(err)
		}
		entries++
	}
}

func TestRecorderEndsAtTheFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left on device")
		r := NewRecorder(t.Context(), tape.NewWriter(failingWriter{full}), func() error { return nil })
		r.Record(node.Entry{At: time.Now()})
		if err := r.Wait(); !errors.Is(err, full) {
			t.Errorf("got %v, want %v", err, full)
		}
		r.Record(node.Entry{At: time.Now()})
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestTapeOfADaemonPlaysTheSameReports(t *testing.T) {
	var buf bytes.Buffer
	w := tape.NewWriter(&buf)
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	for _, e := range []node.Entry{
		{At: at, Obs: node.Started{Node: "node2", Sources: []node.Source{{Name: node.SourceKmsg, Every: time.Second}}}},
		{At: at.Add(time.Second), Obs: node.SawKernel{}},
		{At: at.Add(2 * time.Second)},
	} {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if n, lost := playAll(t, &buf); n != 3 || lost != 0 {
		t.Errorf("got %d entries, %d lost, want 3 and 0", n, lost)
	}
}
