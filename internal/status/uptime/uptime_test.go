package uptime_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// seconds is the length of the timelines in these tests.
const seconds = 400

func second(i int) time.Time { return noon.Add(time.Duration(i) * time.Second) }

// random returns a timeline that begins within the first half.
func random(r *rand.Rand) (t uptime.Timeline) {
	for i := r.IntN(seconds / 2); i < seconds; i += 1 + r.IntN(60) {
		t = append(t, uptime.Change{At: second(i), State: report.Impacts()[r.IntN(6)]})
	}
	return t
}

// policies returns policies of all kinds.
func policies() []uptime.Policy {
	return []uptime.Policy{{}, {Kind: "worst"}, {Kind: "redundant"}, {Kind: "quorum", N: 2}, {Kind: "quorum", N: 9},
		{Kind: "percent", N: 1}, {Kind: "percent", N: 60}, {Kind: "percent", N: 100}}
}

// A group's timeline, sums, uptime and coverage equal those counted second by second,
// with maintenance applied.
func TestEqualsWhatIsCountedBySecond(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var members []uptime.Timeline
		var windows []uptime.Window
		for range 1 + r.IntN(5) {
			members = append(members, random(r))
		}
		for range r.IntN(3) {
			from := r.IntN(seconds)
			windows = append(windows, uptime.Window{From: second(from), To: second(from + r.IntN(80))})
		}
		maintained := slices.Clone(members)
		maintained[0] = members[0].Maintained(windows)
		for _, p := range policies() {
			line := uptime.Rollup(p, maintained...)
			counted := map[report.Impact]int64{}
			for i := range seconds {
				var now []uptime.Change
				for k, m := range members {
					c, known := m.At(second(i))
					if known && k == 0 && slices.ContainsFunc(windows, func(w uptime.Window) bool {
						return !second(i).Before(w.From) &&
							second(i).Before(w.To)
					}) {
						c.State = report.UnderMaintenance
					}
					if known {
						now = append(now, c)
					}
				}
				got, known := line.At(second(i))
				if want := p.State(now).State; known != (len(now) > 0) || got.State != want {
					t.Fatalf("seed %d, %+v: %s at second %d, want %s", seed, p, got.State, i, want)
				}
				if known {
					counted[got.State]++
				}
			}
			list := line.Between(noon, second(seconds))
			r.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
			sum := uptime.Sum(list)
			for state, n := range counted {
				if sum[state] != time.Duration(n)*time.Second {
					t.Fatalf("seed %d, %+v: %s for %v, want %d s", seed, p, state, sum[state], n)
				}
			}
			known := counted[report.Operational] + counted[report.DegradedPerformance] + counted[report.PartialOutage] +
				counted[report.MajorOutage]
			unknown := counted[report.Unknown]
			for _, strict := range []bool{false, true} {
				all, down := known, counted[report.MajorOutage]*100+counted[report.PartialOutage]*30
				if strict {
					all, down = all+unknown, down+unknown*100
				}
				got, ok := sum.Uptime(uptime.Weights{Major: 100, Partial: 30, Strict: strict})
				if ok != (all > 0) || ok && got != (all*100-down)*1000/all {
					t.Fatalf("seed %d, %+v, strict %v: %d, %v of %v", seed, p, strict, got, ok, counted)
				}
			}
			if got, ok := sum.Coverage(); ok != (known+unknown > 0) || ok && got != known*100000/(known+unknown) {
				t.Fatalf("seed %d, %+v: coverage %d, %v of %v", seed, p, got, ok, counted)
			}
		}
	}
}

func TestPolicies(t *testing.T) {
	const o, m, u, d, p, x = report.Operational, report.UnderMaintenance, report.Unknown, report.DegradedPerformance, report.PartialOutage,
		report.MajorOutage
	redundant := uptime.Policy{Kind: "redundant"}
	two, ninety := uptime.Policy{Kind: "quorum", N: 2}, uptime.Policy{Kind: "percent", N: 90}
	for _, c := range []struct {
		policy  uptime.Policy
		members []report.Impact
		want    report.Impact
	}{
		{uptime.Policy{}, []report.Impact{o, u, m}, u}, {uptime.Policy{}, []report.Impact{o, p, u}, p}, {uptime.Policy{}, nil, ""},
		{redundant, []report.Impact{x, o}, o}, {redundant, []report.Impact{x, u}, u}, {redundant, []report.Impact{x, m}, x},
		{redundant, []report.Impact{m, m}, m},
		{two, []report.Impact{o, x, o}, o}, {two, []report.Impact{o, x, d}, d}, {two, []report.Impact{o, x, x}, x},
		{two, []report.Impact{o, u, x}, u},
		{two, []report.Impact{o, m, m}, m}, {two, []report.Impact{o, x, m}, x}, {two, []report.Impact{x, m, m}, m},
		{two, []report.Impact{x, m}, x}, {two, []report.Impact{x}, x},
		{ninety, []report.Impact{x, o, o, o, o, o, o, o, o, o}, o}, {ninety, []report.Impact{x, x, o, o, o, o, o, o, o, o}, x},
		{ninety, []report.Impact{x, o}, x},
	} {
		var now []uptime.Change
		for _, s := range c.members {
			now = append(now, uptime.Change{State: s})
		}
		if got := c.policy.State(now).State; got != c.want {
			t.Errorf("%+v of %v: %s, want %s", c.policy, c.members, got, c.want)
		}
	}
}

// Uptime is rounded down: any downtime shows.
func TestUptimeIsRoundedDown(t *testing.T) {
	const days = 90 * 24 * time.Hour
	for _, c := range []struct {
		down time.Duration
		want int64
	}{{0, 100000}, {time.Nanosecond, 99999}, {155 * time.Second, 99998}, {days, 0}} {
		sum := uptime.Tally{report.Operational: days - c.down, report.MajorOutage: c.down}
		if got, ok := sum.Uptime(uptime.Weights{Major: 100, Partial: 30}); !ok || got != c.want {
			t.Errorf("%v down: %d, want %d", c.down, got, c.want)
		}
	}
}

// Days follow the zone's calendar: 23 hours when summer time begins, 25 when it ends,
// and none is counted twice or omitted.
func TestDaysOfSummerTime(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now   time.Time
		date  string
		hours int
	}{
		{time.Date(2026, 3, 30, 10, 0, 0, 0, zone), "2026-03-29", 23},
		{time.Date(2026, 10, 26, 0, 0, 0, 0, zone), "2026-10-25", 25},
		{time.Date(2026, 6, 2, 23, 59, 59, 0, zone), "2026-06-01", 24},
	} {
		days := uptime.Days(c.now, zone, 90)
		if today := days[89]; c.now.Before(today.From) || !c.now.Before(today.To) || len(days) != 90 {
			t.Errorf("%v is not in %v", c.now, today)
		}
		// Down in every even second.
		var line uptime.Timeline
		day := days[88]
		for i, at := 0, day.From.Add(-time.Minute); at.Before(day.To.Add(time.Minute)); i, at = i+1, at.Add(time.Second) {
			line = append(line, uptime.Change{At: at, State: []report.Impact{report.MajorOutage, report.Operational}[i%2]})
		}
		sum := uptime.Sum(line.Between(day.From, day.To))
		half := time.Duration(c.hours) * time.Hour / 2
		if day.From.Format(time.DateOnly) != c.date || sum[report.MajorOutage] != half || sum[report.Operational] != half {
			t.Errorf("%v: %v, want %v of each", day, sum, half)
		}
		for i := range days[1:] {
			if !days[i].To.Equal(days[i+1].From) {
				t.Errorf("%v does not follow %v", days[i+1], days[i])
			}
		}
	}
}
