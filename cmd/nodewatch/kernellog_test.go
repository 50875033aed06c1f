package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// A restarted daemon continues at the position of the previous run: records before it
// are history. The position survives in the runtime directory.
func TestKernelLogContinuesAfterARestart(t *testing.T) {
	if f, err := os.Open("/dev/kmsg"); err != nil {
		t.Skipf("the kernel log cannot be read here: %v", err)
	} else {
		f.Close()
	}
	c := config.Default()
	c.Runtime = t.TempDir()
	first := newKernelLog(c, localPaths())
	history, seq := drained(t, first)
	if seq == 0 {
		t.Skip("the kernel log of this machine is empty")
	}
	first.saved = first.saved.Add(-2 * savePosition)
	first.save()
	at, err := loadPosition(c.Runtime)
	if err != nil || at.Seq < seq {
		t.Fatalf("got position %+v, %v; want at least %d", at, err, seq)
	}
	second := newKernelLog(c, localPaths())
	again, _ := drained(t, second)
	if again < history {
		t.Errorf("got %d records as history after the restart, want at least the %d of before", again, history)
	}
	second.last = second.r.Position()
	_ = second.r.Close()
	second.r = nil
	if told, _ := drained(t, second); told != 0 {
		t.Errorf("got %d records of history again in the same process", told)
	}
}

// drained reads until there are no new records; it returns how many were history, and
// the sequence number of the last one.
func drained(t *testing.T, k *kernelLog) (history, seq uint64) {
	t.Helper()
	t.Cleanup(func() { _ = k.r.Close() })
	for {
		b, err := k.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !b.History && b.Records == 0 && b.Foreign == 0 {
			return history, max(seq, b.Seq)
		}
		if b.History {
			history += b.Records
		}
		seq = max(seq, b.Seq)
	}
}

// An invalid position file is ignored, as is one that is missing, too long or a link.
func TestPositionThatIsNone(t *testing.T) {
	dir := t.TempDir()
	if p, err := loadPosition(dir); !errors.Is(err, fs.ErrNotExist) || p != (kmsg.Position{}) {
		t.Errorf("without a file: got %v, %v", p, err)
	}
	for _, text := range []string{"", "x", strings.Repeat("0", maxPosition+1)} {
		if err := os.WriteFile(filepath.Join(dir, positionName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := loadPosition(dir); err == nil || p != (kmsg.Position{}) {
			t.Errorf("%.9q: got %v, %v", text, p, err)
		}
	}
}
