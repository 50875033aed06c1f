package metrics

import "github.com/nodewatch/nodewatch/pkg/rbd"

func osdcFamilies() []family {
	return []family{
		{name: "nodewatch_osdc_requests", kind: gauge,
			help: "Number of requests that the kernel clients have sent to OSDs and that are pending.",
			read: ofPending(func(list []rbd.Pending) (n float64) {
				for _, c := range list {
					n += float64(c.Total)
				}
				return n
			})},
		{name: "nodewatch_osdc_homeless_requests", kind: gauge,
			help: "Number of requests of the kernel clients for which there is no OSD.",
			read: ofPending(func(list []rbd.Pending) (n float64) {
				for _, c := range list {
					n += float64(c.Homeless)
				}
				return n
			})},
		{name: "nodewatch_osdc_attempts_max", kind: gauge,
			help: "Maximum number of times that a pending request has been sent; in a retry storm it rises without limit.",
			read: ofPending(func(list []rbd.Pending) (most float64) {
				for _, c := range list {
					for _, r := range c.Requests {
						most = max(most, float64(r.Attempts))
					}
				}
				return most
			})},
		{name: "nodewatch_osdc_oldest_request_seconds", kind: gauge,
			help: "Minimum age of the kernel clients' oldest pending request; 0 if there is none.",
			read: func(p *picture, emit emit) {
				if p.Pending.At.IsZero() {
					return
				}
				oldest := 0.0
				for _, w := range p.Waits {
					oldest = max(oldest, p.Pending.At.Sub(w.Since).Seconds())
				}
				emit(oldest)
			}},
	}
}

// ofPending reads a metric from the pending requests of the kernel clients, if they
// have ever been read.
func ofPending(read func([]rbd.Pending) float64) func(*picture, emit) {
	return func(p *picture, emit emit) {
		if !p.Pending.At.IsZero() {
			emit(read(p.Pending.Value))
		}
	}
}
