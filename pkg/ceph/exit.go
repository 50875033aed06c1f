package ceph

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// The exit codes of nodewatch-ceph.
const (
	ExitOK      = 0 // a document is on standard output; its Errors list the parts that could not be read
	ExitFailed  = 1 // no document; the reason is one line on standard error
	ExitUsage   = 2 // the request is invalid; the reason is on standard error
	ExitAlarm   = 3 // timed out; standard error has the progress
	ExitWithout = 4 // built without librados
	ExitDenied  = 5 // no document: the cluster denies this user access; standard error as for ExitFailed
)

// ErrWithout reports that nodewatch-ceph was built without librados.
var ErrWithout = fmt.Errorf("ceph: nodewatch-ceph was built without librados: %w", errors.ErrUnsupported)

// Failure returns the error for an exit code and the text on standard error: nil for
// [ExitOK], [fs.ErrPermission] for [ExitDenied].
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

// said returns nodewatch-ceph's own line, as librados may have printed other lines
// before it, or the first line if there is none.
func said(stderr string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	for line := range strings.Lines(stderr) {
		if own, ok := strings.CutPrefix(line, "nodewatch-ceph: "); ok {
			return text(strings.TrimSpace(own))
		}
	}
	return text(first)
}

// denied is the child's message after the cluster denied it access.
type denied string

func (d denied) Error() string { return "ceph: " + string(d) }

// Is makes denied an [fs.ErrPermission] without repeating that in its message.
func (d denied) Is(target error) bool { return target == fs.ErrPermission }
