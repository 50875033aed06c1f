package kmsg

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A Position is how far the log has been read: up to the record numbered Seq, on the
// boot with this id (/proc/sys/kernel/random/boot_id). The zero Position means that
// nothing has been read.
type Position struct {
	BootID string
	Seq    uint64
}

// ErrPosition reports that a text is not a Position.
var ErrPosition = errors.New("kmsg: not a position")

// bootIDLen is the length of a boot id, a UUID.
const bootIDLen = 36

// MarshalText returns "BOOTID SEQ". The error is ErrPosition if BootID is not a UUID.
func (p Position) MarshalText() ([]byte, error) {
	if !isBootID([]byte(p.BootID)) {
		return nil, fmt.Errorf("%w: boot id %q", ErrPosition, p.BootID)
	}
	return strconv.AppendUint(append([]byte(p.BootID), ' '), p.Seq, 10), nil
}

// UnmarshalText parses the text of MarshalText, with or without a final newline. The
// error is ErrPosition.
func (p *Position) UnmarshalText(text []byte) error {
	id, digits, ok := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte(" "))
	if !ok || !isBootID(id) {
		return ErrPosition
	}
	seq, rest, ok := cutField(digits, 1<<64-2) // one more than the maximum is still a number
	if !ok || len(rest) > 0 {
		return ErrPosition
	}
	*p = Position{string(id), seq}
	return nil
}

func isBootID(b []byte) bool {
	if len(b) != bootIDLen {
		return false
	}
	for i, c := range b {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if _, hex := hexDigit(c); !hex {
				return false
			}
		}
	}
	return true
}
