package checks

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Two consecutive results change the state, from the first of them on; a check that
// cannot run is unknown at once.
func TestStreak(t *testing.T) {
	results := map[rune]Result{
		'g': {State: report.Operational}, 'b': {State: report.MajorOutage, Reason: Failed},
		'd': {State: report.DegradedPerformance, Reason: Certificate},
		'u': {State: report.Unknown, Reason: CannotCheck},
	}
	for _, c := range []struct {
		in, state string
		since     int
	}{
		{"", "", 0}, {"g", "", 0}, {"b", "", 0}, {"gg", "operational", 0}, {"bb", "major_outage", 0}, {"gb", "", 0}, {"gbgb", "", 0},
		{"ggb", "operational", 0}, {"ggbg", "operational", 0}, {"ggbgb", "operational", 0}, {"ggbgbb", "major_outage", 4},
		{"ggbb", "major_outage", 2}, {"ggbbg", "major_outage", 2}, {"ggbbgg", "operational", 4}, {"ggbbgbg", "major_outage", 2},
		{"ggbd", "degraded_performance", 2}, {"ggdd", "degraded_performance", 2}, {"ggddb", "degraded_performance", 2},
		{"ggddbb", "major_outage", 4},
		{"ggu", "unknown", 2}, {"bbu", "unknown", 2}, {"ggug", "unknown", 2}, {"ggugg", "operational", 3}, {"ggubb", "major_outage", 3},
		{"ggbub", "unknown", 3},
		{"u", "unknown", 0}, {"uuu", "unknown", 0},
	} {
		s, begin := streak{}, time.Unix(0, 0)
		for i, r := range c.in {
			s.add(results[r], begin.Add(time.Duration(i)*time.Second))
		}
		if since := int(s.since.Sub(begin) / time.Second); string(s.now.State) != c.state || s.now.State != "" && since != c.since {
			t.Errorf("%s: %q since %d, want %q since %d", c.in, s.now.State, since, c.state, c.since)
		}
	}
}

// A fault of the hub is not an outage of the checked service.
func TestCannotRun(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {dial(syscall.ECONNREFUSED), false}, {dial(syscall.EHOSTUNREACH), false}, {dial(syscall.ETIMEDOUT), false},
		{context.DeadlineExceeded, false},
		{dial(syscall.ENETUNREACH), true}, {dial(syscall.EMFILE), true}, {dial(syscall.EACCES), true},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, false},
		{fmt.Errorf("x: %w", &net.DNSError{Err: "server misbehaving", IsTemporary: true}), true},
	} {
		if got := cannotRun(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestTextsOfOthersAreOneLine(t *testing.T) {
	if got := line("a\nb\x1b[1m\xffc"); got != "a b [1m?c" {
		t.Errorf("%q", got)
	}
	long := make([]byte, 10*maxDetail)
	for i := range long {
		long[i] = "ö"[i%2]
	}
	if got := line(string(long)); len(got) > maxDetail+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}
