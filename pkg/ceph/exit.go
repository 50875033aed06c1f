package ceph

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// How a run of nodewatch-ceph ends: its exit code.
const (
	ExitOK      = 0 // a document is on standard output, with Errors for parts that could not be had
	ExitFailed  = 1 // no document; standard error says why in one line
	ExitUsage   = 2 // the request is wrong; standard error says how
	ExitAlarm   = 3 // out of time; standard error says how far it got
	ExitWithout = 4 // built without librados
	ExitDenied  = 5 // no document: the cluster does not let this user in; standard error as for ExitFailed
)

// ErrWithout says that nodewatch-ceph was built without librados.
var ErrWithout = fmt.Errorf("ceph: nodewatch-ceph was built without librados: %w", errors.ErrUnsupported)

// Failure is the error that an exit code and the text on standard error stand
// for; nil for [ExitOK], [fs.ErrPermission] for [ExitDenied].
func Failure(code int, stderr []byte) error {
	line := said(string(stderr))
	switch {
	case code == ExitOK:
		return nil
	case code == ExitWithout:
		return ErrWithout
	case code == ExitDenied:
		return denied(line)
	case line == "":
		return fmt.Errorf("ceph: nodewatch-ceph ended with exit code %d", code)
	}
	return fmt.Errorf("ceph: %s", line)
}

// said is the line of nodewatch-ceph, as librados may have printed some of its own
// before it; the first line if there is none.
func said(stderr string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	for line := range strings.Lines(stderr) {
		if own, ok := strings.CutPrefix(line, "nodewatch-ceph: "); ok {
			return text(strings.TrimSpace(own))
		}
	}
	return text(first)
}

// denied is what the child said when it was not let in.
type denied string

func (d denied) Error() string { return "ceph: " + string(d) }

// Is makes it an [fs.ErrPermission] without saying so twice.
func (d denied) Is(target error) bool { return target == fs.ErrPermission }
