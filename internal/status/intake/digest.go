package intake

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// digest returns a hash of a report's content: two reports with the same digest
// differ only in their numbers and times of observation.
func digest(b native.Body) string {
	b.Seq, b.SentAt, b.Transitions, b.Waiting = 0, time.Time{}, nil, 0
	b.Findings = slices.Clone(b.Findings)
	for i, f := range b.Findings {
		f.LastSeen = time.Time{}
		f.Evidence, f.Against = undated(f.Evidence), undated(f.Against)
		b.Findings[i] = f
	}
	h := sha256.New()
	_ = json.NewEncoder(h).Encode(b) // writing to a hash cannot fail, and the body came from JSON
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil)[:12])
}

func undated(list []report.Evidence) []report.Evidence {
	list = slices.Clone(list)
	for i := range list {
		list[i].At = time.Time{}
	}
	return list
}
