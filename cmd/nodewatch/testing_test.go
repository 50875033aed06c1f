package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A lockedBuffer is a buffer that a daemon writes while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func exitCodeOf(r report.Report) int { return page.ExitCode(r) }

// asDaemon makes the test binary run as nodewatch.
const asDaemon = "NODEWATCH_TEST_DAEMON"

// The daemon starts itself as its launcher, helpers and probe: in a test, that is the
// test binary.
func TestMain(m *testing.M) {
	own := []string{"probe", launcher.ServeCommand, launcher.HelperCommand}
	if len(os.Args) > 1 && slices.Contains(own, os.Args[1]) || os.Getenv(asDaemon) == "1" {
		main()
	}
	if len(os.Args) == 2 && os.Args[1] == "flood" {
		if err := writeFlood(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
