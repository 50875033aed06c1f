//go:build !ceph

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/ceph"
)

func TestRunWithout(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(nil, nil, &stdout, &stderr)
	if code != ceph.ExitWithout || stdout.Len() > 0 || !strings.Contains(stderr.String(), "built without librados") {
		t.Errorf("got %d, %q, %q", code, &stdout, &stderr)
	}
}
