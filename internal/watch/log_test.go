package watch

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

func noted(n uint64) []byte { return fmt.Appendf(nil, "dropped=%d\n", n) }

func TestLogDropsAndCountsWhenStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuckWriter{release: make(chan struct{})}
		l := NewLog(w, noted)
		for i := range 2000 {
			fmt.Fprintf(l, "line %d\n", i)
			if i == 0 {
				synctest.Wait() // the first line is being written
			}
		}
		const dropped = 2000 - 1 - logLines
		if got := l.Dropped(); got != dropped {
			t.Errorf("got %d dropped lines, want %d", got, dropped)
		}
		close(w.release)
		synctest.Wait()
		l.Close(time.Second)
		text := w.String()
		if got := strings.Count(text, "\nline "); got != logLines {
			t.Errorf("got %d queued lines, want %d", got, logLines)
		}
		if want := fmt.Sprintf("dropped=%d\n", dropped); strings.Count(text, want) != 1 {
			t.Errorf("want %q once in %.200q", want, text)
		}
	})
}

// Close writes the queued lines, and does not wait for a stuck writer.
func TestLogIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w bytes.Buffer
		l := NewLog(&w, nil)
		for range 100 {
			fmt.Fprintln(l, "x")
		}
		l.Close(time.Second)
		if got := strings.Count(w.String(), "x\n"); got != 100 {
			t.Errorf("got %d lines, want 100", got)
		}
		stuck := &stuckWriter{release: make(chan struct{})}
		l = NewLog(stuck, nil)
		fmt.Fprintln(l, "x")
		began := time.Now()
		l.Close(time.Second)
		if took := time.Since(began); took != time.Second {
			t.Errorf("Close took %s, want 1 s", took)
		}
		close(stuck.release)
	})
}

// A failing writer, such as a closed pipe or a full device, does not stop the Log.
func TestLogGoesOnAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &brokenPipe{}
		l := NewLog(w, nil)
		for range 3 {
			fmt.Fprintln(l, "x")
			synctest.Wait()
		}
		l.Close(time.Second)
		if w.calls != 3 {
			t.Errorf("got %d writes, want 3", w.calls)
		}
	})
}

type brokenPipe struct{ calls int }

func (w *brokenPipe) Write([]byte) (int, error) {
	w.calls++
	return 0, errors.New("broken pipe")
}
