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

// The limits of what is learnt.
const (
	maxBaselines  = 2000                // images
	forgetAfter   = 14 * 24 * time.Hour // unused
	adoptAfter    = 7 * 24 * time.Hour  // a latency that lasts so long is the new baseline
	learnEvery    = 10 * time.Second
	learnHalfLife = 2 * 24 * time.Hour
	enoughLearnt  = 30 // seconds until a baseline is believed
)

// An Image names an RBD image wherever and as whatever device it is mapped.
type Image struct {
	FSID      string `json:"fsid"`
	Pool      string `json:"pool"`
	Namespace string `json:"namespace,omitempty"`
	Image     string `json:"image"`
}

func imageNamed(m *rbd.Mapped) Image { return Image{m.FSID, m.Pool, m.Namespace, m.Image} }

// A Baseline is what is usual for an image.
type Baseline struct {
	Latency float64   `json:"latency_ms"` // of a read or write: a low quantile over days
	Rate    float64   `json:"rate"`       // requests completed a second, on average
	Learnt  float64   `json:"learnt_s"`   // seconds it was learnt from
	Used    time.Time `json:"used"`       // when the image was last seen mapped
	Apart   time.Time `json:"apart,omitzero"`
	// Apart is since when the image has been slow and nothing is learnt; zero: it is not.

	Adopted time.Time `json:"adopted,omitzero"` // when a latency that lasted, or was acknowledged, became the usual one; zero: never
	Was     float64   `json:"was_ms,omitempty"` // what was usual until then; 0: not known
}

// Baselines are what is usual for the node's disks. They are a value: learning gives
// others.
type Baselines struct {
	images map[Image]Baseline
	at     time.Time // when something was last learnt
}

// A NamedBaseline is a baseline with its image.
type NamedBaseline struct {
	Image
	Baseline
}

// List returns the baselines, by image, to be kept over a restart.
func (b Baselines) List() []NamedBaseline {
	list := make([]NamedBaseline, 0, len(b.images))
	for i, of := range b.images {
		list = append(list, NamedBaseline{i, of})
	}
	slices.SortFunc(list, func(a, b NamedBaseline) int {
		return cmp.Or(cmp.Compare(a.FSID, b.FSID), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Image.Image, b.Image.Image))
	})
	return list
}

// BaselinesOf returns the baselines of a list that was kept. What makes no sense is
// left out, and what is beyond the limit.
func BaselinesOf(list []NamedBaseline) Baselines {
	b := Baselines{images: map[Image]Baseline{}}
	for _, n := range list {
		sane := n.Latency > 0 && n.Was >= 0 && !math.IsInf(n.Was, 0) && n.Rate >= 0 && n.Learnt >= 0 && !math.IsInf(n.Latency+n.Rate+n.Learnt, 0) && !math.IsNaN(n.Latency+n.Rate+n.Learnt)
		if sane && len(b.images) < maxBaselines {
			b.images[n.Image] = n.Baseline
		}
	}
	return b
}

// Learn returns the baselines once they have learnt from the node as it is now, at
// most once in ten seconds. Nothing is learnt of a device that touched accepts,
// because a finding about it says that customers feel something, of one whose NIC is
// full, and of one that is slow; unless it has been so for a week, or since it was
// acknowledged: acknowledged returns when an operator did that; zero: nobody has.
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

// kept is the baseline of an image that nothing is learnt of now. After a week, or once
// an operator has acknowledged it, the latency it has is the new one.
func (b Baseline) kept(l *Latency, now, acknowledged time.Time) Baseline {
	switch {
	case acknowledged.After(b.Adopted), !b.Apart.IsZero() && now.Sub(b.Apart) >= adoptAfter:
		return Baseline{Latency: l.Disk.Latency, Rate: l.Disk.Completed, Learnt: enoughLearnt, Used: now, Adopted: now, Was: b.Latency}
	case b.Apart.IsZero():
		b.Apart = now
	}
	return b
}

// An Adoption is a latency that has become the usual one of a krbd device because it
// lasted for a week, or because an operator acknowledged it.
type Adoption struct {
	Device  string
	Is, Was float64 // ms
	At      time.Time
}

// Adoptions are the changes of what is usual of the last d, by device: those to at least
// twice, or at most half, of what was usual.
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

// learn moves the baseline towards what is: quickly while little is known, then with
// a half-life of days; and four times as readily down as up, so that it becomes what
// the image takes when it is not in a hurry.
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
		step *= lean // a busy time: the load is to be the one that goes with the latency
	}
	b.Rate += step * (rate - b.Rate)
}

// fullClients are the clients behind a NIC that is full.
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

// A Latency is how long a krbd device's requests take, and what is usual.
type Latency struct {
	Device string
	Disk   *node.DiskIO
	Mapped bool    // it is among the mapped devices
	Now    float64 // ms per request or, if longer, requests in flight divided by completions per second; 0: unknown
	Usual  float64 // ms; 0: not known
	Load   float64 // requests completed a second, as a multiple of what is usual; 0: not known
}

// SlowLimits say when a device is slow.
type SlowLimits struct {
	Factor  float64       // times the usual latency
	Floor   time.Duration // below it none is slow
	Ceiling time.Duration // from it each is slow, whatever is usual
}

// DefaultSlow are the default limits.
var DefaultSlow = SlowLimits{Factor: 10, Floor: 50 * time.Millisecond, Ceiling: 500 * time.Millisecond}

// Slow reports whether the device is slow: it takes a multiple of the usual latency
// while it does not carry more than twice the usual load, or longer than any disk
// should.
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

// Latency returns how long the requests of each krbd device take, by device.
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

// SlowDisks are the mapped devices that are slow, slowest first.
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
