package judge

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/history"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/internal/tape/script"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// incidentFiles returns at most limit of the incidents whose text matches has, spread
// evenly, starting at offset.
func incidentFiles(t *testing.T, limit, offset int, has string) []string {
	t.Helper()
	all, err := filepath.Glob("../../testdata/incidents/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(has).Match(text) {
			files = append(files, file)
		}
	}
	if len(files) < limit {
		t.Fatalf("%d of %d incidents have %q, want %d", len(files), len(all), has, limit)
	}
	some := make([]string, limit)
	for i := range some {
		some[i] = files[(offset+i*len(files)/limit)%len(files)]
	}
	return some
}

// entriesOf returns the entries of an incident, at most one hour of them.
func entriesOf(t *testing.T, file string) []node.Entry {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in, err := script.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	var list []node.Entry
	for e := range in.Entries() {
		list = append(list, e)
		if e.At.Sub(list[0].At) > time.Hour {
			break
		}
	}
	return list
}

// clone returns an independent Judge that continues from the state of j, without the
// data for the charts.
func (j *Judge) clone() *Judge {
	c := *j
	c.rules, c.history = all.Default(), history.Recorder{}
	c.held = slices.Clone(j.held)
	c.memory = map[string]memories{}
	for id, m := range j.memory {
		c.memory[id] = maps.Clone(m)
	}
	c.rises = maps.Clone(j.rises)
	c.components = maps.Clone(j.components)
	return &c
}

// dark returns an observation of the same source without a value.
func dark(o node.Observation, kind node.ErrorKind, since time.Time) node.Observation {
	v := reflect.New(reflect.TypeOf(o)).Elem()
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	r := v.FieldByName("Reading")
	if !r.IsValid() {
		return nil // not from a source
	}
	r.FieldByName("Err").Set(reflect.ValueOf(&node.Error{Kind: kind, Text: "lost by the test", Since: since}))
	return v.Addr().Interface().(node.Observation)
}

// levels returns the level of each finding in a report.
func levels(r report.Report) map[report.Ref]level {
	m := map[report.Ref]level{}
	for i := range r.Findings {
		m[report.Ref{Rule: r.Findings[i].Rule, Subject: r.Findings[i].Subject}] = levelOf(r.Findings[i])
	}
	return m
}

// lower returns the lower severity and the lower impact of two levels.
func lower(a, b level) level {
	if b.severity.Rank() < a.severity.Rank() {
		a.severity = b.severity
	}
	if b.impact.Rank() < a.impact.Rank() {
		a.impact = b.impact
	}
	return a
}

// The properties below hold for each View of an incident, whatever the incident is.
// Each of the incidents is replayed once for all of them.
func TestPropertiesOfEachView(t *testing.T) {
	files := append(incidentFiles(t, 8, 3, `iops=0 .*inflight=[1-9]`), incidentFiles(t, 6, 2, "")...)
	slices.Sort(files)
	losses, stalls := lossTrial{rnd: rand.New(rand.NewPCG(1, 2))}, 0
	for _, file := range slices.Compact(files) {
		losses.begin()
		j, entries := New(all.Default()), entriesOf(t, file)
		for i, e := range entries {
			v, judged := j.Take(e)
			if !judged {
				continue
			}
			losses.take(j, v, entries[i+1:])
			where := filepath.Base(file) + " at " + v.Now.Format(time.TimeOnly)
			stalls += wantStallsShown(t, where, v)
			wantNoFutureTime(t, where, v.Report)
			if i%97 == 0 {
				wantInputUnchanged(t, where, j, v)
			}
			if t.Failed() {
				return
			}
		}
		losses.run(t, filepath.Base(file))
	}
	if losses.checked < 1000 {
		t.Errorf("only %d levels were compared", losses.checked)
	}
	if stalls == 0 {
		t.Error("nothing stalled")
	}
}

// A lossTrial checks that losing any source at any time neither clears nor lowers a
// finding that would have stayed. A level that the undisturbed run lowers may be
// lowered, because that is a recovery.
type lossTrial struct {
	rnd     *rand.Rand
	turn    int // number of losses tried
	checked int // number of levels compared

	reports []map[report.Ref]level // of the undisturbed run, by tick
	bad     int                    // number of ticks with a warning or worse
	cuts    []cut                  // a random choice of those ticks
}

// A cut is a tick after which a source is lost.
type cut struct {
	judge *Judge
	after []node.Entry
	tick  int
}

// begin prepares for the next incident.
func (x *lossTrial) begin() { x.reports, x.bad, x.cuts = nil, 0, nil }

// take records a tick of the undisturbed run. Each tick with a warning or worse is
// equally likely to be one of the three cuts.
func (x *lossTrial) take(j *Judge, v View, after []node.Entry) {
	x.reports = append(x.reports, levels(v.Report))
	if v.Report.Worst().Rank() < report.Warning.Rank() {
		return
	}
	x.bad++
	place := x.rnd.IntN(x.bad)
	if len(x.cuts) < 3 {
		place = len(x.cuts)
		x.cuts = append(x.cuts, cut{})
	}
	if place < len(x.cuts) {
		x.cuts[place] = cut{j.clone(), after, len(x.reports) - 1}
	}
}

// run replays what follows each cut without a source: another one each time, lost in
// another way.
func (x *lossTrial) run(t *testing.T, name string) {
	t.Helper()
	sources := []string{
		node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceLimits, node.SourceKrbd, node.SourceIO, node.SourceOSDC,
		node.SourceLibvirt,
		node.SourceQEMU, node.SourceKmsg, node.SourceHost, node.SourceCeph,
	}
	kinds := []node.ErrorKind{node.Stalled, node.Failed, node.Denied}
	for _, c := range x.cuts {
		if len(c.after) == 0 {
			continue
		}
		source, kind := sources[x.turn%len(sources)], kinds[x.turn%len(kinds)]
		x.turn++
		x.checked += withoutSource(t, fmt.Sprintf("%s without %s (%s)", name, source, kind), c.judge, c.after, x.reports[c.tick:], source, kind,
			2*time.Minute)
	}
}

// withoutSource continues the replay without a source, and returns how many levels it
// compared with those of the undisturbed run.
func withoutSource(t *testing.T, name string, j *Judge, entries []node.Entry, undisturbed []map[report.Ref]level, source string,
	kind node.ErrorKind, horizon time.Duration) (checked int) {
	t.Helper()
	start := entries[0].At
	floor, tick := maps.Clone(undisturbed[0]), 0
	for _, e := range entries {
		if e.At.Sub(start) > horizon {
			break
		}
		if e.Obs != nil && node.Name(e.Obs) == source {
			if e.Obs = dark(e.Obs, kind, start); e.Obs == nil {
				continue
			}
		}
		v, judged := j.Take(e)
		if !judged {
			continue
		}
		tick++
		got := levels(v.Report)
		for f, l := range floor {
			now, stays := undisturbed[tick][f]
			if !stays {
				delete(floor, f)
				continue
			}
			floor[f] = lower(l, now)
			checked++
			if is := got[f]; is.below(floor[f]) {
				t.Errorf("%s: %s after %s: %s %s is %v, and %v with it", name, e.At.Format(time.TimeOnly), e.At.Sub(start), f.Rule,
					f.Subject, is, floor[f])
				return checked
			}
		}
	}
	return checked
}

// played returns each report of a run as JSON.
func played(t *testing.T, entries []node.Entry) (list []string) {
	t.Helper()
	j := New(all.Default())
	for _, e := range entries {
		if v, judged := j.Take(e); judged {
			raw, err := json.Marshal(v.Report)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, string(raw))
		}
	}
	return list
}

// The same tape produces the same bytes each time, even if the sources report in a
// different order within each second.
func TestReportsDependOnNothingButTheTape(t *testing.T) {
	for _, file := range incidentFiles(t, 4, 1, "") {
		entries := entriesOf(t, file)
		entries = entries[:min(len(entries), 12000)]
		first := played(t, entries)
		rnd := rand.New(rand.NewPCG(3, 4))
		mixed := slices.Clone(entries)
		for from, i := 0, 0; i < len(mixed); i++ {
			if mixed[i].Obs == nil || reflect.Indirect(reflect.ValueOf(mixed[i].Obs)).FieldByName("Reading") == (reflect.Value{}) {
				shuffle(rnd, mixed[from:i])
				from = i + 1
			}
		}
		if other := played(t, mixed); !slices.Equal(first, other) {
			n := 0
			for n < len(first) && first[n] == other[n] {
				n++
			}
			t.Errorf("%s: report %d is another in a second run, with sources that report in another order", file, n)
		}
	}
}

// shuffle mixes entries of different sources; entries of the same source keep their
// order, and the times stay in place.
func shuffle(rnd *rand.Rand, list []node.Entry) {
	by := map[string][]node.Entry{}
	var names []string
	for _, e := range list {
		name := node.Name(e.Obs)
		if by[name] == nil {
			names = append(names, name)
		}
		by[name] = append(by[name], e)
	}
	rnd.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	at := make([]time.Time, len(list))
	for i := range list {
		at[i] = list[i].At
	}
	i := 0
	for _, name := range names {
		for _, e := range by[name] {
			e.At = at[i]
			list[i] = e
			i++
		}
	}
}

// wantNoFutureTime: no time in a report is later than the report. The incident files
// contain no future times; TestNoTimeIsInTheFuture covers future times of evidence.
func wantNoFutureTime(t *testing.T, where string, r report.Report) {
	t.Helper()
	r.Maintenance = nil // ends in the future
	if late := latest(reflect.ValueOf(&r).Elem(), r.At); late != "" {
		t.Errorf("%s: report%s", where, late)
	}
}

// latest names a time in v that is after the given one, with its path from v; "" if
// there is none.
func latest(v reflect.Value, now time.Time) string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return latest(v.Elem(), now)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			return ""
		}
		for i := range v.Len() {
			if late := latest(v.Index(i), now); late != "" {
				return fmt.Sprintf("[%d]%s", i, late)
			}
		}
	case reflect.Struct:
		if at, is := v.Addr().Interface().(*time.Time); is {
			if at.After(now) {
				return " is " + at.Format(time.TimeOnly)
			}
			return ""
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Accepted" { // ends in the future
				if late := latest(v.Field(i), now); late != "" {
					return "." + name + late
				}
			}
		}
	}
	return ""
}

// wantStallsShown: storage and guests are not operational while disks of running
// guests have stalled for longer than a stall takes to count. It returns 1 if some
// have, otherwise 0.
func wantStallsShown(t *testing.T, where string, v View) int {
	t.Helper()
	if v.Blind(node.SourceIO) != nil || v.Report.Maintenance != nil {
		return 0
	}
	var long []string
	for i := range v.IO {
		if v.IO[i].StalledFor() > stallCounts+5*time.Second {
			long = append(long, v.IO[i].Device)
		}
	}
	if len(v.Facts.GuestsOf(long)) == 0 {
		return 0
	}
	for _, c := range v.Report.Components {
		if (c.Name == report.ComponentStorage || c.Name == report.ComponentGuests) &&
			c.Status.Rank() < report.DegradedPerformance.Rank() {
			t.Errorf("%s: %s is %s while %d disks of guests stall", where, c.Name, c.Status, len(long))
		}
	}
	return 1
}

// wantInputUnchanged: a rule does not modify its input.
func wantInputUnchanged(t *testing.T, where string, j *Judge, v View) {
	t.Helper()
	seed := maphash.MakeSeed()
	f := facts.New(v.Snapshot, v.usual)
	snapshot := digest(seed, reflect.ValueOf(v.Snapshot))
	for _, r := range v.Rules.Rules {
		in := rule.Input{Facts: f, Raised: j.memory[r.ID].raised(), Incident: j.incidents.latest()}
		raised := digest(seed, reflect.ValueOf(in.Raised))
		r.Check(in)
		if digest(seed, reflect.ValueOf(v.Snapshot)) != snapshot || digest(seed, reflect.ValueOf(in.Raised)) != raised {
			t.Fatalf("%s: %s has changed its input", where, r.ID)
		}
	}
}

// digest returns a hash of everything reachable from v, independent of addresses.
func digest(seed maphash.Seed, v reflect.Value) uint64 {
	return digester{seed, map[unsafe.Pointer]bool{}}.of(v)
}

// A digester computes a digest. It visits shared values once.
type digester struct {
	seed maphash.Seed
	seen map[unsafe.Pointer]bool
}

func (d digester) of(v reflect.Value) (sum uint64) {
	mix := func(n uint64) { sum = sum*0x9e3779b97f4a7c15 + n + 1 }
	switch v.Kind() {
	case reflect.Pointer:
		if at := v.UnsafePointer(); at != nil && !d.seen[at] {
			d.seen[at] = true
			mix(d.of(v.Elem()))
		}
	case reflect.Interface:
		if !v.IsNil() {
			mix(d.of(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			mix(d.of(v.Field(i)))
		}
	case reflect.Slice, reflect.Array:
		mix(uint64(v.Len()))
		for i := range v.Len() {
			mix(d.of(v.Index(i)))
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			sum += d.of(key)*31 + d.of(value)
		}
	case reflect.String:
		mix(maphash.String(d.seed, v.String()))
	case reflect.Bool:
		if v.Bool() {
			mix(1)
		}
	case reflect.Float64, reflect.Float32:
		mix(math.Float64bits(v.Float()))
	default:
		switch {
		case v.CanInt():
			mix(uint64(v.Int()))
		case v.CanUint():
			mix(v.Uint())
		}
	}
	return sum
}
