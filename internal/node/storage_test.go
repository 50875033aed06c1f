package node

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// burstOf returns the burst, at now, of a series with a line at each of these
// seconds.
func burstOf(now int, gap time.Duration, history bool, seconds ...int) int {
	start := time.Date(2026, time.March, 1, 3, 0, 0, 0, time.UTC)
	l := Log{}
	for i, second := range seconds {
		at := start.Add(time.Duration(second)*time.Second + 300*time.Millisecond)
		l = l.read(kmsg.Batch{Counts: []kmsg.Count{{Class: kmsg.CRC, Peer: "osd1", N: 1, First: at, Last: at}}, History: history &&
			i == 0}, at, nil)
	}
	at := l.Series[0].Burst(start.Add(time.Duration(now)*time.Second), gap)
	if at.IsZero() {
		return -1
	}
	return int(at.Sub(start) / time.Second)
}

func TestBurst(t *testing.T) {
	for name, c := range map[string]struct {
		got, want int
	}{
		"one line":                        {burstOf(5, time.Minute, false, 3), 3},
		"a run, from its first line":      {burstOf(100, time.Minute, false, 7, 50, 99), 7},
		"a run after a pause, by seconds": {burstOf(520, time.Minute, false, 7, 503, 510, 519), 503},
		"long ago, by ten seconds":        {burstOf(300, time.Minute, false, 7, 143, 190, 240, 290), 140},
		"pauses longer than the gap":      {burstOf(100, 30*time.Second, false, 7, 45, 99), 99},
		"the latest run is over":          {burstOf(400, time.Minute, false, 7, 143, 150), 140},
		"older than ten minutes":          {burstOf(700, time.Minute, false, 7), -1},
		"a run that reaches beyond":       {burstOf(800, 10*time.Minute, false, 7, 300, 700), 300},
		"history does not begin a run":    {burstOf(60, time.Minute, true, 7, 43, 44), 43},
	} {
		t.Run(name, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("begins at %d, want %d", c.got, c.want)
			}
		})
	}
}

// A mapping begins with the reading that found it; mappings of the first reading
// began before nodewatch started.
func TestMappedAt(t *testing.T) {
	at := time.Date(2026, time.March, 1, 3, 0, 0, 0, time.UTC)
	see := func(s Snapshot, at time.Time, images ...string) Snapshot {
		var list []rbd.Mapped
		for i, image := range images {
			list = append(list, rbd.Mapped{ID: i, Device: []string{"rbd0", "rbd1"}[i], Pool: "rbd", Image: image})
		}
		return s.Take(Entry{At: at, Obs: SawMapped{Reading[[]rbd.Mapped]{Value: list, At: at}}})
	}
	s := see(Snapshot{}, at, "a")
	s = see(s, at.Add(time.Minute), "a", "b")
	s = see(s, at.Add(time.Hour), "c", "b")
	if !s.MappedAt(0).Equal(at.Add(time.Hour)) || !s.MappedAt(1).Equal(at.Add(time.Minute)) {
		t.Errorf("mapped at %s and %s", s.MappedAt(0), s.MappedAt(1))
	}
	if s = see(Snapshot{}, at, "a"); !s.MappedAt(0).IsZero() {
		t.Errorf("of the first reading: %s", s.MappedAt(0))
	}
}
