package cachet

import (
	"slices"
	"strconv"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A parsed component has a number and a valid impact.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"id":7,"name":"Node 2","status":"2","status_name":"Performance Issues","enabled":true}}`,
		`{"data":{"id":"7","type":"components","attributes":{"id":7,"status":{"human":"Unknown","value":5},"enabled":false}}}`,
		`{"data":{"id":7,"status":0,"enabled":0}}`, `{"data":[]}`, `{"data":{"id":1e300,"status":1}}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := parse(body)
		if !ok {
			return
		}
		if _, err := strconv.Atoi(c.id); err != nil || !slices.Contains(report.Impacts(), c.impact) {
			t.Errorf("%+v", c)
		}
	})
}
