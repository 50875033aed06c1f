package krbd

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// osdcWorst returns at most n of the requests, by TID: the most often sent, older
// ones first among equals, and always the oldest.
func osdcWorst(requests []rbd.Request, n int) []rbd.Request {
	slices.SortFunc(requests, osdcByTID)
	if len(requests) <= n {
		return requests
	}
	oldest := requests[0]
	slices.SortFunc(requests, func(a, b rbd.Request) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), osdcByTID(a, b))
	})
	requests = requests[:n:n]
	if !slices.Contains(requests, oldest) {
		requests[n-1] = oldest
	}
	slices.SortFunc(requests, osdcByTID)
	return requests
}

// osdcByTID orders requests by age. The other fields only make the order
// deterministic.
func osdcByTID(a, b rbd.Request) int {
	paused := func(r rbd.Request) int {
		if r.Paused {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.TID, b.TID), cmp.Compare(a.OSD, b.OSD), cmp.Compare(a.Attempts, b.Attempts),
		strings.Compare(a.Object, b.Object), strings.Compare(a.Ops, b.Ops), cmp.Compare(paused(a), paused(b)))
}

// osdcWorse orders clients, worst first: by their most often sent request, then by
// the number of requests in flight.
func osdcWorse(a, b rbd.Pending) int {
	return cmp.Or(cmp.Compare(osdcAttempts(b), osdcAttempts(a)), cmp.Compare(b.Total, a.Total),
		cmp.Compare(b.Backoffs, a.Backoffs), osdcByClient(a, b))
}

func osdcAttempts(p rbd.Pending) int {
	most := 0
	for _, r := range p.Requests {
		most = max(most, r.Attempts)
	}
	return most
}

func osdcByClient(a, b rbd.Pending) int {
	return cmp.Or(strings.Compare(a.FSID, b.FSID), cmp.Compare(a.ClientID, b.ClientID))
}
