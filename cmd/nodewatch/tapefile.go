package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/tape"
	"github.com/nodewatch/nodewatch/internal/tape/script"
	"github.com/nodewatch/nodewatch/internal/watch"
)

// maxPlayed is the maximum size of a decompressed tape, in bytes.
const maxPlayed = 64 << 30

// maxIncident is the maximum size of an incident file, in bytes.
const maxIncident = 64 << 20

// openTape opens the file to record to, and returns functions to record and to
// finish. Without a file both do nothing.
func openTape(ctx context.Context, c config.Tape) (record func(node.Entry), finish func() error, err error) {
	if c.File == "" {
		return nil, func() error { return nil }, nil
	}
	if err := checkTape(c.File); err != nil {
		return nil, nil, fmt.Errorf("tape: %w", err)
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("tape: %w", err)
	}
	limited := &limitedFile{f: f, left: int64(c.Max) << 20}
	var w io.WriteCloser = nopCloser{limited}
	if strings.HasSuffix(c.File, ".zst") {
		if w, err = zstd.NewWriter(limited, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(1<<20)); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("tape: %w", err), f.Close())
		}
	}
	r := watch.NewRecorder(ctx, tape.NewWriter(w), func() error { return errors.Join(w.Close(), f.Close()) })
	return r.Record, r.Wait, nil
}

// checkTape returns why a file cannot be recorded to. The open of a pipe would block.
func checkTape(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := os.Stat(filepath.Dir(name))
		return err
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", name)
	}
	return nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// A limitedFile is a file with a maximum size in bytes.
type limitedFile struct {
	f    *os.File
	left int64
}

// errTapeFull ends a recording that has reached its maximum size.
var errTapeFull = errors.New("tape: the recording has reached tape.max_megabytes")

// Write implements io.Writer.
func (l *limitedFile) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errTapeFull
	}
	l.left -= int64(len(p))
	return l.f.Write(p)
}

// A played is a tape or an incident, opened for replay.
type played struct {
	incident *script.Incident           // nil for a tape
	tape     *tape.Reader               // nil for an incident
	next     func() (node.Entry, error) // io.EOF at the end; other errors name file and line
	close    func()
}

// play opens a tape (.jsonl, .zst) or an incident (.txtar). Errors name the file and,
// if known, the line.
func play(name string) (*played, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(name) == ".txtar" {
		defer f.Close()
		return playIncident(name, f)
	}
	in := bufio.NewReader(f)
	magic, _ := in.Peek(4)
	if !bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return playTape(name, in, func() { _ = f.Close() }), nil
	}
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return playTape(name, io.LimitReader(z, maxPlayed), func() {
		z.Close()
		_ = f.Close()
	}), nil
}

func playTape(name string, r io.Reader, closeFile func()) *played {
	t := tape.NewReader(r)
	return &played{tape: t, close: closeFile, next: func() (node.Entry, error) {
		e, err := t.Next()
		return e, inFile(name, err)
	}}
}

func playIncident(name string, r io.Reader) (*played, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxIncident))
	if err != nil {
		return nil, err
	}
	in, err := script.Parse(raw)
	if err != nil {
		return nil, inFile(name, err)
	}
	pulled, stop := iter.Pull(in.Entries())
	return &played{incident: in, close: stop, next: func() (node.Entry, error) {
		e, ok := pulled()
		if !ok {
			return node.Entry{}, io.EOF
		}
		return e, nil
	}}, nil
}

// inFile prefixes the error with the file's name and, if known, the line: FILE:LINE:
// REASON.
func inFile(name string, err error) error {
	var ofTape *tape.Mistake
	var ofScript *script.Mistake
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return err
	case errors.As(err, &ofTape):
		return fmt.Errorf("%s:%d: %w", name, ofTape.Line, ofTape.Err)
	case errors.As(err, &ofScript) && ofScript.Line > 0:
		return fmt.Errorf("%s:%d: %w", name, ofScript.Line, ofScript.Err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
