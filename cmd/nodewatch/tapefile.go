package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/tape"
	"github.com/nodewatch/nodewatch/internal/watch"
)

// maxPlayed is the most a tape may hold once it is unpacked, in bytes.
const maxPlayed = 64 << 30

// maxIncident is the largest incident file that is read, in bytes.
const maxIncident = 64 << 20

// openTape opens the file that is recorded to, and returns how to record and how
// to finish. Without a file both do nothing.
func openTape(ctx context.Context, c config.Tape) (record func(node.Entry), finish func() error, err error) {
	if c.File == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("tape: %w", err)
	}
	limited := &limitedFile{f: f, left: int64(c.Max) << 20}
	var w io.WriteCloser = nopCloser{limited}
	if strings.HasSuffix(c.File, ".zst") {
		if w, err = zstd.NewWriter(limited, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20)); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("tape: %w", err), f.Close())
		}
	}
	r := watch.NewRecorder(ctx, tape.NewWriter(w), func() error { return errors.Join(w.Close(), f.Close()) })
	return r.Record, r.Wait, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// A limitedFile is a file that takes no more than so many bytes.
type limitedFile struct {
	f    *os.File
	left int64
}

// errTapeFull ends a recording that has reached its size.
var errTapeFull = errors.New("tape: the recording has reached tape.max_megabytes")

// Write implements io.Writer.
func (l *limitedFile) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errTapeFull
	}
	l.left -= int64(len(p))
	return l.f.Write(p)
}

// A played is a tape or an incident, opened to be played.
type played struct {
	story string
	want  string
	next  func() (node.Entry, error) // io.EOF at the end
	tape  *tape.Reader               // nil for an incident
	close func()
}

// play opens a tape (.jsonl, .zst) or an incident (.txtar).
func play(name string) (*played, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(name) == ".txtar" {
		defer f.Close()
		return playIncident(f)
	}
	in := bufio.NewReader(f)
	magic, _ := in.Peek(4)
	if !bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		t := tape.NewReader(in)
		return &played{next: t.Next, tape: t, close: func() { _ = f.Close() }}, nil
	}
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	t := tape.NewReader(io.LimitReader(z, maxPlayed))
	return &played{next: t.Next, tape: t, close: func() {
		z.Close()
		_ = f.Close()
	}}, nil
}

func playIncident(r io.Reader) (*played, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxIncident))
	if err != nil {
		return nil, err
	}
	in, err := tape.ParseIncident(raw)
	if err != nil {
		return nil, err
	}
	next, stop := pull(in)
	return &played{story: in.Story, want: in.Want, next: next, close: stop}, nil
}
