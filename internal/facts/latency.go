package facts

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// The limits of learning.
const (
	maxBaselines  = 2000                // number of images
	forgetAfter   = 14 * 24 * time.Hour // time without use
	adoptAfter    = 7 * 24 * time.Hour  // a latency that lasts this long becomes the baseline
	learnEvery    = 10 * time.Second
	learnHalfLife = 2 * 24 * time.Hour
	enoughLearnt  = 30 // seconds until a baseline is used
)

// An Image identifies an RBD image independently of the device that it is mapped as.
type Image struct {
	FSID      string `json:"fsid"`
	Pool      string `json:"pool"`
	Namespace string `json:"namespace,omitempty"`
	Image     string `json:"image"`
}

func imageNamed(m *rbd.Mapped) Image { return Image{m.FSID, m.Pool, m.Namespace, m.Image} }

// A Baseline is the usual latency and load of an image.
type Baseline struct {
	Latency float64   `json:"latency_ms"` // ms per read or write: a low quantile over days
	Rate    float64   `json:"rate"`       // completed requests per second, on average
	Learnt  float64   `json:"learnt_s"`   // seconds of observation that it is based on
	Used    time.Time `json:"used"`       // when the image was last observed as mapped
	Apart   time.Time `json:"apart,omitzero"`
	// Apart is when the image became slow, so that its baseline is no longer updated;
	// zero: it is not slow.

	Adopted time.Time `json:"adopted,omitzero"` // when a latency became the baseline because it lasted or was acknowledged; zero: never
	Was     float64   `json:"was_ms,omitempty"` // the baseline until then; 0: unknown
}

// Baselines are the baselines of the node's disks. They are immutable: Learn returns
// new ones.
type Baselines struct {
	images map[Image]Baseline
	at     time.Time // time of the last update
}

// A NamedBaseline is a baseline with its image.
type NamedBaseline struct {
	Image
	Baseline
}

// List returns the baselines, by image, to be persisted over a restart.
func (b Baselines) List() []NamedBaseline {
	list := make([]NamedBaseline, 0, len(b.images))
	for i, of := range b.images {
		list = append(list, NamedBaseline{i, of})
	}
	slices.SortFunc(list, func(a, b NamedBaseline) int {
		return cmp.Or(cmp.Compare(a.FSID, b.FSID), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Image.Image, b.Image.Image))
	})
	return list
}

// BaselinesOf returns the baselines of a persisted list. Invalid entries, and those
// beyond the limit, are left out.
func BaselinesOf(list []NamedBaseline) Baselines {
	b := Baselines{images: map[Image]Baseline{}}
	for _, n := range list {
		sane := n.Latency > 0 && n.Was >= 0 && !math.IsInf(n.Was, 0) && n.Rate >= 0 && n.Learnt >= 0 &&
			!math.IsInf(n.Latency+n.Rate+n.Learnt, 0) && !math.IsNaN(n.Latency+n.Rate+n.Learnt)
		if sane && len(b.images) < maxBaselines {
			b.images[n.Image] = n.Baseline
		}
	}
	return b
}

// Learn returns the baselines updated from the current state of the node, at most
// once in ten seconds. A device is skipped if touched reports that a finding with
// customer impact is about it, if its NIC is full, or if it is slow, unless it has
// been slow for a week, or since a finding about it was acknowledged. acknowledged
// returns the time of the acknowledgement; zero: none.
func (b Baselines) Learn(f *Facts, touched func(device string) bool, acknowledged func(device string) time.Time) Baselines {
	span := f.Now.Sub(b.at)
	if !b.at.IsZero() && span < learnEvery && span >= 0 || f.AnyBlind(node.SourceIO, node.SourceKrbd) {
		return b
	}
	next := Baselines{images: maps.Clone(b.images), at: f.Now}
	if next.images == nil {
		next.images = map[Image]Baseline{}
	}
	seconds := min(span, learnEvery*3).Seconds()
	if b.at.IsZero() || span < 0 {
		seconds = learnEvery.Seconds()
	}
	full := f.fullClients()
	for _, l := range f.Latency() {
		m, _, found := f.Device(l.Device)
		if !found {
			continue
		}
		of, known := next.images[imageNamed(&m)]
		of.Used = f.Now
		switch {
		case l.Disk.Latency <= 0 || l.Disk.Completed < 0.05: // nothing to learn from
		case l.Slow(DefaultSlow) || full[m.ClientID] || touched(l.Device):
			of = of.kept(&l, f.Now, acknowledged(l.Device))
		default:
			of.Apart = time.Time{}
			of.learn(l.Disk.Latency, l.Disk.Completed, seconds)
		}
		if known || len(next.images) < maxBaselines {
			next.images[imageNamed(&m)] = of
		}
	}
	maps.DeleteFunc(next.images, func(_ Image, of Baseline) bool { return f.Now.Sub(of.Used) > forgetAfter })
	return next
}

// kept returns the baseline of an image that is skipped. After a week, or once an
// operator has acknowledged it, the current latency becomes the baseline.
func (b Baseline) kept(l *Latency, now, acknowledged time.Time) Baseline {
	switch {
	case acknowledged.After(b.Adopted), !b.Apart.IsZero() && now.Sub(b.Apart) >= adoptAfter:
		return Baseline{Latency: l.Disk.Latency, Rate: l.Disk.Completed, Learnt: enoughLearnt, Used: now, Adopted: now, Was: b.Latency}
	case b.Apart.IsZero():
		b.Apart = now
	}
	return b
}

// An Adoption is a latency that has become the baseline of a krbd device because it
// lasted for a week, or because an operator acknowledged it.
type Adoption struct {
	Device  string
	Is, Was float64 // ms
	At      time.Time
}

// Adoptions returns the baseline changes of the last d, by device, by at least a factor
// of two up or down.
func (f *Facts) Adoptions(d time.Duration) []Adoption {
	var list []Adoption
	for i := range f.Mapped.Value {
		m := &f.Mapped.Value[i]
		of := f.usual.images[imageNamed(m)]
		if of.Was > 0 && !of.Adopted.IsZero() && f.Now.Sub(of.Adopted) < d && (of.Latency >= 2*of.Was || 2*of.Latency <= of.Was) {
			list = append(list, Adoption{Device: m.Device, Is: of.Latency, Was: of.Was, At: of.Adopted})
		}
	}
	return list
}

// learn moves the baseline towards the current value: quickly while few samples are
// known, then with a half-life of days; and four times faster down than up, so that
// it converges to the latency of the image under light load.
func (b *Baseline) learn(ms, rate, seconds float64) {
	b.Learnt += seconds
	if b.Latency <= 0 {
		b.Latency, b.Rate = ms, rate
		return
	}
	step := max(seconds/b.Learnt, 1-math.Exp2(-seconds/learnHalfLife.Seconds()))
	lean := 0.4
	if ms < b.Latency {
		lean = 1.6
	}
	b.Latency *= math.Exp(min(step*lean, 1) * math.Log(ms/b.Latency))
	if ms > 2*b.Latency {
		step *= lean // a busy period: the load must be the one that belongs to the latency
	}
	b.Rate += step * (rate - b.Rate)
}

// fullClients returns the clients that use a full NIC.
func (f *Facts) fullClients() map[uint64]bool {
	full := map[uint64]bool{}
	for _, p := range f.Storage {
		for _, carrier := range p.Carriers {
			for _, n := range f.NICsOf(carrier) {
				if n.Rx.Full || n.Tx.Full {
					for _, c := range p.Clients {
						full[c] = true
					}
				}
			}
		}
	}
	return full
}

// A Latency is the current and the usual request latency of a krbd device.
type Latency struct {
	Device string
	Disk   *node.DiskIO
	Mapped bool    // the device is still mapped
	Now    float64 // ms per request or, if longer, requests in flight divided by completions per second; 0: unknown
	Usual  float64 // ms; 0: unknown
	Load   float64 // completed requests per second, as a multiple of the baseline; 0: unknown
}

// SlowLimits define when a device is slow.
type SlowLimits struct {
	Factor  float64       // multiple of the usual latency
	Floor   time.Duration // below it no device is slow
	Ceiling time.Duration // at or above it every device is slow, regardless of its baseline
}

// DefaultSlow returns the default limits.
var DefaultSlow = SlowLimits{Factor: 10, Floor: 50 * time.Millisecond, Ceiling: 500 * time.Millisecond}

// Slow reports whether the device is slow: its latency is a multiple of the usual one
// although its load is at most twice the usual one, or is longer than acceptable for
// any disk.
func (l *Latency) Slow(s SlowLimits) bool {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	switch {
	case l.Now < ms(s.Floor):
		return false
	case l.Now >= ms(s.Ceiling):
		return true
	}
	return l.Usual > 0 && l.Now >= s.Factor*l.Usual && l.Load <= 2.1
}

// Latency returns the request latency of each krbd device, by device.
func (f *Facts) Latency() []Latency { return f.latency() }

func (f *Facts) findLatency() []Latency {
	if f.Blind(node.SourceIO) != nil {
		return nil
	}
	list := make([]Latency, 0, len(f.IO))
	for i := range f.IO {
		d := &f.IO[i]
		l := Latency{Device: d.Device, Disk: d}
		if d.Completed >= 0.05 || d.Last.InFlight() > 0 {
			l.Now = max(d.Latency, float64(d.QueueTime())/float64(time.Millisecond), float64(d.StalledFor())/float64(time.Millisecond))
		}
		if m, _, found := f.Device(d.Device); found {
			l.Mapped = true
			if of, known := f.usual.images[imageNamed(&m)]; known && of.Learnt >= enoughLearnt {
				l.Usual = of.Latency
				l.Load = d.Completed / max(of.Rate, 0.1)
			}
		}
		list = append(list, l)
	}
	return list
}

// SlowDisks returns the mapped devices that are slow, slowest first.
func (f *Facts) SlowDisks(limits SlowLimits) []*Latency {
	var slow []*Latency
	for i := range f.Latency() {
		if l := &f.Latency()[i]; l.Mapped && l.Slow(limits) {
			slow = append(slow, l)
		}
	}
	slices.SortStableFunc(slow, func(a, b *Latency) int { return cmp.Compare(b.Now, a.Now) })
	return slow
}
