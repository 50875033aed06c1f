package kmsg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// A Position is how far the log has been read: to the record numbered Seq, on
// the boot with this id (/proc/sys/kernel/random/boot_id). The zero Position is
// that of nobody who has read anything.
type Position struct {
	BootID string
	Seq    uint64
}

// ErrPosition says that a text is not a Position.
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

// UnmarshalText parses what MarshalText gives; a newline may end it. The error
// is ErrPosition.
func (p *Position) UnmarshalText(text []byte) error {
	id, digits, ok := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte(" "))
	if !ok || !isBootID(id) {
		return ErrPosition
	}
	seq, rest, ok := cutField(digits, 1<<64-2) // one more is still a number
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

// SavePosition writes p to the file at path, in one step: whoever reads it sees
// the old or the new. The file path+".new" is used on the way.
func SavePosition(path string, p Position) error {
	text, err := p.MarshalText()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("kmsg: save position: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("kmsg: save position: %w", err)
	}
	return nil
}

// LoadPosition reads what SavePosition wrote. No file is no error, but the zero
// Position; a file that holds anything else is ErrPosition.
func LoadPosition(path string) (Position, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("kmsg: load position: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, bootIDLen+32))
	if err != nil {
		return Position{}, fmt.Errorf("kmsg: load position: %w", err)
	}
	var p Position
	if err := p.UnmarshalText(text); err != nil {
		return Position{}, fmt.Errorf("%w: %s", err, path)
	}
	return p, nil
}
