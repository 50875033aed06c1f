package metrics

import (
	"strconv"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

func krbdFamilies() []family {
	return []family{
		{name: "nodewatch_krbd_devices", kind: gauge,
			help: "Number of RBD images that the kernel has mapped.",
			read: ofKrbd(func(list []rbd.Mapped) float64 { return float64(len(list)) })},
		{name: "nodewatch_krbd_clients", kind: gauge,
			help: "Number of kernel clients that the krbd devices share.",
			read: ofKrbd(countClients)},
		{name: "nodewatch_krbd_device_info", kind: gauge, labels: []string{"device", "pool", "namespace", "image", "client"},
			help: "Always 1; the labels name the image and the kernel client of the device. At most 1000 devices.",
			read: nameDevices},
		{name: "nodewatch_krbd_device_info_truncated", kind: gauge,
			help: "Number of krbd devices without nodewatch_krbd_device_info because there are too many.",
			read: ofKrbd(func(list []rbd.Mapped) float64 { return float64(max(0, len(list)-maxDevices)) })},
		{name: "nodewatch_krbd_in_flight", kind: gauge,
			help: "Number of requests in flight on all krbd devices.",
			read: ofIO(func(p *picture) (float64, bool) {
				n := 0.0
				for _, d := range p.IO {
					n += float64(d.Last.InFlight())
				}
				return n, true
			})},
		{name: "nodewatch_krbd_latency_seconds", kind: gauge,
			help: "Average latency of krbd requests, over about ten seconds and all devices that completed one; no sample if none did.",
			read: ofIO(latency)},
		{name: "nodewatch_krbd_stuck_devices", kind: gauge,
			help: "Number of krbd devices with requests in flight that have completed none for the threshold of krbd-stalled, ten seconds by default.",
			read: ofIO(func(p *picture) (float64, bool) { return float64(len(p.stalled)), true })},
		{name: "nodewatch_krbd_device_in_flight", kind: gauge, labels: []string{"device"},
			help: "Number of requests in flight on a stalled device; only of the 50 that have been stalled longest.",
			read: eachStalled(func(d node.DiskIO) float64 { return float64(d.Last.InFlight()) })},
		{name: "nodewatch_krbd_device_stuck_seconds", kind: gauge, labels: []string{"device"},
			help: "Time for which no request of a stalled device has completed; only of the 50 that have been stalled longest.",
			read: eachStalled(func(d node.DiskIO) float64 { return d.StalledFor().Seconds() })},
	}
}

// ofKrbd reads a metric from the mapped devices, if they have ever been listed.
func ofKrbd(read func([]rbd.Mapped) float64) func(*picture, emit) {
	return func(p *picture, emit emit) {
		if !p.Mapped.At.IsZero() {
			emit(read(p.Mapped.Value))
		}
	}
}

// ofIO reads a metric from the devices' counters, if they have ever been read.
func ofIO(read func(*picture) (float64, bool)) func(*picture, emit) {
	return func(p *picture, emit emit) {
		if s, _ := p.Source(node.SourceIO); s.Last.IsZero() {
			return
		}
		if value, known := read(p); known {
			emit(value)
		}
	}
}

func eachStalled(read func(node.DiskIO) float64) func(*picture, emit) {
	return func(p *picture, emit emit) {
		for _, d := range p.stalled[:min(len(p.stalled), maxStalled)] {
			emit(read(d), d.Device)
		}
	}
}

func countClients(list []rbd.Mapped) float64 {
	type client struct {
		fsid string
		id   uint64
	}
	seen := map[client]bool{}
	for _, m := range list {
		seen[client{m.FSID, m.ClientID}] = true
	}
	return float64(len(seen))
}

func nameDevices(p *picture, emit emit) {
	list := p.Mapped.Value
	for _, m := range list[:min(len(list), maxDevices)] {
		emit(1, m.Device, m.Pool, m.Namespace, m.Image, "client"+strconv.FormatUint(m.ClientID, 10))
	}
}

// latency returns the mean latency of the devices, weighted by completed requests;
// false if it is unknown.
func latency(p *picture) (seconds float64, known bool) {
	ms, requests := 0.0, 0.0
	for _, d := range p.IO {
		ms += d.Latency * d.IOPS
		requests += d.IOPS
	}
	if requests == 0 {
		return 0, false
	}
	return ms / requests * time.Millisecond.Seconds(), true
}
