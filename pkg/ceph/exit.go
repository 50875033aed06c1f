package ceph

import (
	"errors"
	"fmt"
	"strings"
)

// How a run of nodewatch-ceph ends: its exit code.
const (
	ExitOK      = 0 // a document is on standard output, with Errors for parts that could not be had
	ExitFailed  = 1 // no document; standard error says why in one line
	ExitUsage   = 2 // the request is wrong; standard error says how
	ExitAlarm   = 3 // out of time; standard error says how far it got
	ExitWithout = 4 // built without librados
)

// ErrWithout says that nodewatch-ceph was built without librados.
var ErrWithout = fmt.Errorf("ceph: nodewatch-ceph was built without librados: %w", errors.ErrUnsupported)

// Failure is the error that an exit code and the text on standard error stand
// for; nil for [ExitOK].
func Failure(code int, stderr []byte) error {
	line, _, _ := strings.Cut(strings.TrimSpace(string(stderr)), "\n")
	line = text(strings.TrimPrefix(line, "nodewatch-ceph: "))
	switch {
	case code == ExitOK:
		return nil
	case code == ExitWithout:
		return ErrWithout
	case line == "":
		return fmt.Errorf("ceph: nodewatch-ceph ended with exit code %d", code)
	}
	return fmt.Errorf("ceph: %s", line)
}
