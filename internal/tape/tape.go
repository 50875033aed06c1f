// Package tape records what a node saw, and plays it again: JSON lines of time,
// name and observation, or time alone for "time to judge".
package tape

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// maxLine is the longest line of a tape that is read, in bytes: a reading of
// 3,000 links or 1,000 guests fits.
const maxLine = 16 << 20

// line is one line of a tape.
type line struct {
	At   time.Time       `json:"at"`
	Saw  string          `json:"saw,omitempty"`
	Obs  json.RawMessage `json:"obs,omitempty"`
	Lost uint64          `json:"lost,omitempty"` // entries that should stand here but could not be recorded
}

// A Writer writes a tape. It is for one goroutine.
type Writer struct {
	w    io.Writer
	lost uint64
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Skip notes that n entries could not be recorded: the next line says so.
func (t *Writer) Skip(n uint64) { t.lost += n }

// Write appends one entry.
func (t *Writer) Write(e node.Entry) error {
	l := line{At: e.At, Lost: t.lost}
	if e.Obs != nil {
		raw, err := json.Marshal(e.Obs)
		if err != nil {
			return fmt.Errorf("tape: %s: %w", e.Saw, err)
		}
		l.Saw, l.Obs = node.Name(e.Obs), raw
	}
	raw, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	if _, err := t.w.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	t.lost = 0
	return nil
}

// A Reader plays a tape. It is for one goroutine.
type Reader struct {
	in     *bufio.Scanner
	number int
	broken int
	lost   uint64
	first  error
}

// NewReader returns a Reader of the tape r.
func NewReader(r io.Reader) *Reader {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &Reader{in: in}
}

// Next returns the next entry, and io.EOF after the last. Broken lines are
// skipped and counted; a line over 16 MiB ends the tape with an error.
func (t *Reader) Next() (node.Entry, error) {
	for t.in.Scan() {
		t.number++
		if len(t.in.Bytes()) == 0 {
			continue
		}
		e, err := t.decode(t.in.Bytes())
		if err == nil {
			return e, nil
		}
		t.broken++
		if t.first == nil {
			t.first = fmt.Errorf("tape: line %d: %w", t.number, err)
		}
	}
	if err := t.in.Err(); err != nil {
		return node.Entry{}, fmt.Errorf("tape: line %d: %w", t.number+1, err)
	}
	return node.Entry{}, io.EOF
}

func (t *Reader) decode(raw []byte) (node.Entry, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return node.Entry{}, err
	}
	if l.At.IsZero() {
		return node.Entry{}, errors.New("no time in field at")
	}
	t.lost += l.Lost
	e := node.Entry{At: l.At, Saw: l.Saw}
	if l.Saw == "" {
		return e, nil
	}
	obs, err := node.Blank(l.Saw)
	if err != nil {
		return node.Entry{}, err
	}
	if err := json.Unmarshal(l.Obs, obs); err != nil {
		return node.Entry{}, fmt.Errorf("%s: %w", l.Saw, err)
	}
	e.Obs = obs
	return e, nil
}

// Broken is how many lines could not be read, and why the first of them could not.
func (t *Reader) Broken() (int, error) { return t.broken, t.first }

// Lost is how many entries the recorder could not write.
func (t *Reader) Lost() uint64 { return t.lost }
