package watch

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// A stuckWriter blocks until it is released.
type stuckWriter struct {
	bytes.Buffer
	release chan struct{}
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	<-w.release
	return w.Buffer.Write(p)
}

func TestLogDropsAndCountsWhenStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuckWriter{release: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		l := NewLog(ctx, w)
		for i := range 2000 {
			fmt.Fprintf(l, "line %d\n", i)
			if i == 0 {
				synctest.Wait() // the first line is being written
			}
		}
		close(w.release)
		synctest.Wait()
		cancel()
		synctest.Wait()
		text := w.String()
		if got := strings.Count(text, "\nline "); got != 512 {
			t.Errorf("got %d queued lines, want 512", got)
		}
		if want := fmt.Sprintf("lines=%d\n", 2000-1-512); !strings.Contains(text, want) {
			t.Errorf("got no count of dropped lines, want %q in %.200q", want, text)
		}
	})
}
