// Package tape records observations of a node, and reads them for a replay: JSON
// lines of time, name and observation, or only a time for a tick.
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

// maxLine is the maximum length of a line of a tape, in bytes: a reading of 3,000
// links or 1,000 guests fits.
const maxLine = 16 << 20

// line is one line of a tape.
type line struct {
	At   time.Time       `json:"at"`
	Saw  string          `json:"saw,omitempty"`
	Obs  json.RawMessage `json:"obs,omitempty"`
	Lost uint64          `json:"lost,omitempty"` // number of entries that could not be recorded before this line
}

// A Writer writes a tape. It must be used by one goroutine only.
type Writer struct {
	w    io.Writer
	lost uint64
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Skip counts n entries that could not be recorded: the next line contains their
// number.
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

// A Reader reads a tape. It must be used by one goroutine only.
type Reader struct {
	in      *bufio.Scanner
	number  int       // number of the latest line
	entries int       // number of entries read
	last    time.Time // time of the latest entry
	broken  int
	lost    uint64
	first   *Mistake // the first broken line
}

// A Mistake is the reason why a tape cannot be replayed.
type Mistake struct {
	Line int
	Err  error
}

// Error implements error.
func (m *Mistake) Error() string { return fmt.Sprintf("line %d: %v", m.Line, m.Err) }

// Unwrap returns the reason.
func (m *Mistake) Unwrap() error { return m.Err }

// NewReader returns a Reader that reads from r.
func NewReader(r io.Reader) *Reader {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &Reader{in: in}
}

// Next returns the next entry, and io.EOF after the last. Lines that are truncated or
// garbled, for example after a crash, are skipped and counted. All other errors are a
// *Mistake: an observation with an unknown name, an impossible time, a line over 16
// MiB, or a tape without any entry.
func (t *Reader) Next() (node.Entry, error) {
	for t.in.Scan() {
		t.number++
		if len(t.in.Bytes()) == 0 {
			continue
		}
		e, err := t.decode(t.in.Bytes())
		var refused *Mistake
		switch {
		case err == nil:
			t.entries, t.last = t.entries+1, e.At
			return e, nil
		case errors.As(err, &refused):
			return node.Entry{}, refused
		}
		t.broken++
		if t.first == nil {
			t.first = &Mistake{t.number, err}
		}
		if t.entries == 0 && t.broken == maxBroken {
			break
		}
	}
	if err := t.in.Err(); err != nil {
		return node.Entry{}, &Mistake{t.number + 1, err}
	}
	if t.entries == 0 {
		first := &Mistake{1, errors.New("the file is empty")}
		if t.first != nil {
			first = t.first
		}
		return node.Entry{}, &Mistake{first.Line,
			fmt.Errorf("not a tape entry, which is a line {\"at\": TIME, \"saw\": NAME, \"obs\": {…}}: %w", first.Err)}
	}
	return node.Entry{}, io.EOF
}

// maxBroken is the number of broken lines without any entry after which a file is not
// a tape.
const maxBroken = 100

func (t *Reader) decode(raw []byte) (node.Entry, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return node.Entry{}, err
	}
	if err := t.checkTime(l); err != nil {
		return node.Entry{}, &Mistake{t.number, err}
	}
	t.lost += l.Lost
	e := node.Entry{At: l.At, Saw: l.Saw}
	if l.Saw == "" {
		return e, nil
	}
	obs, err := node.NewObservation(l.Saw)
	if err != nil {
		return node.Entry{}, &Mistake{t.number, err}
	}
	if err := json.Unmarshal(l.Obs, obs); err != nil {
		return node.Entry{}, fmt.Errorf("%s: %w", l.Saw, err)
	}
	e.Obs = obs
	return e, nil
}

// checkTime returns an error if a daemon cannot have recorded the line's time. The
// clock may only have been set back when a daemon starts.
func (t *Reader) checkTime(l line) error {
	switch year := l.At.Year(); {
	case l.At.IsZero():
		return errors.New("no time in the field at; want RFC 3339 such as 2026-03-01T02:00:00Z")
	case year < 2000 || year > 2199:
		return fmt.Errorf("the time %s is outside the years 2000 to 2199", l.At.Format(time.RFC3339))
	case l.At.Before(t.last) && l.Saw != node.Name(node.Started{}):
		return fmt.Errorf("the time %s is before that of the entry above, %s", l.At.Format(time.RFC3339Nano),
			t.last.Format(time.RFC3339Nano))
	}
	return nil
}

// Broken returns the number of broken lines, and the reason for the first.
func (t *Reader) Broken() (int, error) {
	if t.first == nil {
		return 0, nil
	}
	return t.broken, t.first
}

// Lost returns the number of entries that the recorder could not write.
func (t *Reader) Lost() uint64 { return t.lost }
