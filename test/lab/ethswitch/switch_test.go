package ethswitch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A wire is a link whose other end is the test.
type wire struct {
	in, out chan []byte
	closed  chan struct{}
}

func newWire() *wire {
	return &wire{in: make(chan []byte, 4096), out: make(chan []byte, 4096), closed: make(chan struct{})}
}

func (w *wire) ReadFrame(b []byte) (int, error) {
	select {
	case f := <-w.in:
		return copy(b, f), nil
	case <-w.closed:
		return 0, io.EOF
	}
}

func (w *wire) WriteFrame(b []byte) error { w.out <- b; return nil }
func (w *wire) Close() error              { close(w.closed); return nil }

// got returns the frames that the switch has sent on the wire, without LACPDUs.
func (w *wire) got() (frames [][]byte) {
	for {
		select {
		case f := <-w.out:
			if p, _ := parse(f); p.kind != typeSlow {
				frames = append(frames, f)
			}
		default:
			return frames
		}
	}
}

// A rig is a switch with two members and an uplink.
type rig struct {
	*Switch
	eth0, eth1, up *wire
}

func newRig(t *testing.T, f func(rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := rig{New(), newWire(), newWire(), newWire()}
		r.Attach("eth0", true, r.eth0)
		r.Attach("eth1", true, r.eth1)
		r.Attach("up", false, r.up)
		f(r)
		for _, p := range r.ports {
			p.close()
		}
		r.work.Wait()
	})
}

// settle waits until the switch is idle.
func (r rig) settle() { synctest.Wait() }

var (
	guest  = mac{0x52, 0x54, 0, 0, 0, 1}
	server = mac{0x52, 0x54, 0, 0, 0, 2}
	all    = mac{255, 255, 255, 255, 255, 255}
)

// segment returns a TCP segment in an Ethernet frame with a valid checksum.
func segment(dst, src mac, sport uint16, payload int) []byte {
	f := make([]byte, headerLen+40+payload)
	copy(f, dst[:])
	copy(f[macLen:], src[:])
	binary.BigEndian.PutUint16(f[12:], typeIPv4)
	ip := f[headerLen:]
	ip[0], ip[9] = 0x45, protoTCP
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, sport)
	binary.BigEndian.PutUint16(tcp[2:], 6800)
	tcp[12] = 5 << 4
	for i := range payload {
		tcp[20+i] = byte(i * 7)
	}
	binary.BigEndian.PutUint16(tcp[16:], ^sum(ip))
	return f
}

// sum returns TCP's sum with the pseudo header; 0xffff: the checksum is valid.
func sum(ip []byte) uint16 {
	tcp := ip[20:]
	n := uint32(protoTCP) + uint32(len(tcp))
	for _, b := range [][]byte{ip[12:20], tcp} {
		for i := 0; i < len(b); i += 2 {
			n += uint32(b[i]) << 8
			if i+1 < len(b) {
				n += uint32(b[i+1])
			}
		}
	}
	for n>>16 != 0 {
		n = n&0xffff + n>>16
	}
	return uint16(n)
}

func TestSwitchLearnsAndDoesNotReflect(t *testing.T) {
	newRig(t, func(r rig) {
		r.SetChannel(None, Layer2)
		r.eth0.in <- segment(all, guest, 1000, 1)
		r.settle()
		if a, b, c := len(r.eth0.got()), len(r.eth1.got()), len(r.up.got()); a != 0 || b != 1 || c != 1 {
			t.Errorf("a broadcast goes to all other ports: got %d %d %d", a, b, c)
		}
		r.up.in <- segment(guest, server, 1000, 1)
		r.settle()
		if a, b, c := len(r.eth0.got()), len(r.eth1.got()), len(r.up.got()); a != 1 || b != 0 || c != 0 {
			t.Errorf("a known address has one port: got %d %d %d", a, b, c)
		}
		r.eth0.in <- segment(guest, server, 1000, 1)
		r.settle()
		if n := len(r.eth0.got()); n != 0 {
			t.Errorf("%d frames came back where they came from", n)
		}
	})
}

func TestWatchSeesWhatComesIn(t *testing.T) {
	newRig(t, func(r rig) {
		var seen []string
		r.SetWatch(func(port string, frame []byte) { seen = append(seen, port) })
		r.eth1.in <- segment(all, guest, 1, 1)
		r.settle()
		r.up.in <- segment(guest, server, 1, 1)
		r.settle()
		r.SetWatch(nil)
		r.eth0.in <- segment(server, guest, 1, 1)
		r.settle()
		if diff := cmp.Diff([]string{"eth1", "up"}, seen); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPortChannelSpreadsByItsPolicy(t *testing.T) {
	for _, c := range []struct {
		hash Hash
		both bool
	}{{Layer2, false}, {Layer34, true}} {
		newRig(t, func(r rig) {
			r.SetChannel(Static, c.hash)
			r.eth1.in <- segment(server, guest, 1, 1)
			for port := range 64 {
				r.up.in <- segment(guest, server, uint16(40000+2*port), 100)
			}
			r.settle()
			a, b := len(r.eth0.got()), len(r.eth1.got())
			if a+b != 64 || c.both != (a > 12 && b > 12) || !c.both && a*b != 0 {
				t.Errorf("%s: got %d and %d", c.hash, a, b)
			}
		})
	}
}

func TestPortThatIsDownIsNotUsed(t *testing.T) {
	newRig(t, func(r rig) {
		r.SetChannel(Static, Layer34)
		r.eth1.in <- segment(server, guest, 1, 1)
		r.settle()
		r.SetDown("eth0", true)
		for port := range 32 {
			r.up.in <- segment(guest, server, uint16(40000+2*port), 100)
		}
		r.settle()
		if a, b := len(r.eth0.got()), len(r.eth1.got()); a != 0 || b != 32 {
			t.Errorf("got %d and %d", a, b)
		}
	})
}

func TestRateBoundsWhatPassesAndTheBufferWhatWaits(t *testing.T) {
	newRig(t, func(r rig) {
		r.SetChannel(None, Layer2)
		r.SetRate("eth0", Rate{Bits: 8e6, Buffer: 100_000})
		r.eth0.in <- segment(server, guest, 1, 1)
		r.settle()
		for range 1000 {
			r.up.in <- segment(guest, server, 1, 946) // 1000 bytes, 1024 on the wire
		}
		time.Sleep(time.Second)
		r.settle()
		c := r.Counters()["eth0"]
		if c.Dropped < 850 || c.Dropped > 905 || c.SentFrames+c.Dropped != 1000 {
			t.Errorf("a full buffer drops: got %+v", c)
		}
		for range 90 {
			r.up.in <- segment(guest, server, 1, 946)
		}
		begin := time.Now()
		for r.Counters()["eth0"].SentFrames < c.SentFrames+90 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begin); took < 90*time.Millisecond-credit || took > 96*time.Millisecond-credit {
			t.Errorf("90 frames of 1024 bytes on a wire of 8 Mbit/s take 92 ms less the credit, took %s", took)
		}
	})
}

func TestDamageIsFoundByThePayloadAlone(t *testing.T) {
	for _, payload := range []int{1, 2, 99, 1000, 1448} {
		f := segment(guest, server, 1000, payload)
		was := bytes.Clone(f)
		p, ok := parse(f)
		if !ok || !p.damage(payload) {
			t.Fatalf("%d bytes were not damaged", payload)
		}
		if s := sum(f[headerLen:]); s != 0xffff {
			t.Errorf("%d bytes: the checksum does not hold: %#x", payload, s)
		}
		if n := differing(was[headerLen+40:], f[headerLen+40:]); n != 1 {
			t.Errorf("%d bytes: %d bytes of payload differ", payload, n)
		}
		if differing(was[:headerLen+36], f[:headerLen+36]) != 0 {
			t.Errorf("%d bytes: the headers differ", payload)
		}
		if p.damage(payload + 1) {
			t.Error("a segment that is too small was damaged")
		}
	}
}

func differing(a, b []byte) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestDamageCounts(t *testing.T) {
	newRig(t, func(r rig) {
		r.SetChannel(None, Layer2)
		r.eth0.in <- segment(server, guest, 1, 1)
		r.settle()
		r.SetDamage("eth0", Damage{Every: 4, Least: 1000, Count: 3})
		sent := segment(guest, server, 1, 1000)
		for range 40 {
			r.up.in <- bytes.Clone(sent)
			r.up.in <- segment(guest, server, 1, 999)
		}
		r.settle()
		damaged := 0
		for _, f := range r.eth0.got() {
			if len(f) == len(sent) && !bytes.Equal(f, sent) {
				damaged++
			}
		}
		if n := r.Counters()["eth0"].Damaged; n != 3 || damaged != 3 {
			t.Errorf("want 3 damaged, got %d, counted %d", damaged, n)
		}
	})
}

func TestStreamKeepsFramesApart(t *testing.T) {
	var b pipe
	l := NewStream(&b)
	sent := [][]byte{{1}, segment(guest, server, 1, 9), make([]byte, 1514)}
	for _, f := range sent {
		if err := l.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	var got [][]byte
	buf := make([]byte, maxFrame)
	for {
		n, err := l.ReadFrame(buf)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, bytes.Clone(buf[:n]))
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Error(diff)
	}
	if _, err := NewStream(&pipe{*bytes.NewBuffer([]byte{0, 2, 0, 0})}).ReadFrame(buf); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("want an error for a frame that is too long, got %v", err)
	}
}

type pipe struct{ bytes.Buffer }

func (*pipe) Close() error { return nil }
