package krbd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Limits on reading one client's osdc.
const (
	osdcMaxLine     = 4 << 10
	osdcMaxRequests = 64
)

// ParseOSDC parses debugfs osdc (net/ceph/debugfs.c, osdc_show; the same from 4.13 to
// 7.2): the line "REQUESTS n homeless m", one line per request, then the sections
// LINGER REQUESTS and BACKOFFS. FSID and ClientID are in the directory's name and
// stay empty.
//
// It keeps the 64 most often sent requests, older ones first among equals, and always
// the oldest; Total counts all. Lines that cannot be parsed, or are longer than 4
// KiB, are counted as Malformed. It is an error if the text does not begin with
// REQUESTS or cannot be read to its end.
func ParseOSDC(r io.Reader) (rbd.Pending, error) {
	p := osdcParser{}
	lines := bufio.NewReaderSize(struct{ io.Reader }{r}, osdcMaxLine) // otherwise a bufio.Reader keeps its own limit
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = osdcSkip(lines)
			line = nil // longer than the limit of a line
		} else if len(line) == 0 {
			return p.done(err)
		}
		if perr := p.line(line); perr != nil {
			return rbd.Pending{}, perr
		}
		if err != nil {
			return p.done(err)
		}
	}
}

// osdcSkip reads the rest of a line that is too long.
func osdcSkip(lines *bufio.Reader) error {
	for {
		_, err := lines.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// An osdcParser parses osdc line by line.
type osdcParser struct {
	pending rbd.Pending
	section osdcSection
	seen    int // request lines
}

type osdcSection int

const (
	osdcStart osdcSection = iota
	osdcRequests
	osdcLingers
	osdcBackoffs
)

// line parses one line; nil represents one that was too long.
func (p *osdcParser) line(line []byte) error {
	text := strings.ToValidUTF8(string(bytes.TrimSuffix(line, []byte("\n"))), "\uFFFD")
	switch {
	case p.section == osdcStart:
		return p.header(text)
	case text == "LINGER REQUESTS":
		p.section = osdcLingers
	case text == "BACKOFFS":
		p.section = osdcBackoffs
	case !p.entry(strings.Split(text, "\t")):
		p.pending.Malformed++
	}
	return nil
}

func (p *osdcParser) header(text string) error {
	words := strings.Fields(text)
	if len(words) == 4 && words[0] == "REQUESTS" && words[2] == "homeless" {
		total, ok1 := parseNumber(words[1], "", 10, 31)
		homeless, ok2 := parseNumber(words[3], "", 10, 31)
		if ok1 && ok2 {
			p.pending.Total, p.pending.Homeless = int(total), int(homeless)
			p.section = osdcRequests
			return nil
		}
	}
	return errors.New("rbd: osdc does not start with REQUESTS")
}

// entry parses one line of a section and reports whether it is valid.
func (p *osdcParser) entry(fields []string) bool {
	switch p.section {
	case osdcRequests:
		q, ok := osdcRequest(fields)
		if ok {
			p.seen++
			p.keep(q)
		}
		return ok
	case osdcLingers:
		_, ok := osdcTargetOf(fields)
		if ok {
			p.pending.Lingers++
		}
		return ok
	default:
		ok := osdcBackoff(fields)
		if ok {
			p.pending.Backoffs++
		}
		return ok
	}
}

// keep keeps a request, and drops the least relevant if there are many. Repeated
// selection gives the same result as a single selection from all requests: each
// dropped request has 63 worse ones, which stay.
func (p *osdcParser) keep(q rbd.Request) {
	p.pending.Requests = append(p.pending.Requests, q)
	if len(p.pending.Requests) >= 8*osdcMaxRequests {
		p.pending.Requests = osdcWorst(p.pending.Requests, osdcMaxRequests)
	}
}

// done ends the parsing at the end of the text or at a read error.
func (p *osdcParser) done(err error) (rbd.Pending, error) {
	if err != nil && !errors.Is(err, io.EOF) {
		return rbd.Pending{}, fmt.Errorf("rbd: read osdc: %w", err)
	}
	if p.section == osdcStart {
		return rbd.Pending{}, p.header("")
	}
	p.pending.Total = min(max(p.pending.Total, p.seen), math.MaxInt32)
	p.pending.Requests = osdcWorst(p.pending.Requests, osdcMaxRequests)
	return p.pending, nil
}
