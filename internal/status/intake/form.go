package intake

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// parseForm reads a push from the fields of a form, as curl -d sends them.
func parseForm(raw []byte) (p Push, err error) {
	fields, err := url.ParseQuery(string(raw))
	if err != nil {
		return p, fmt.Errorf("not a form: %w", err)
	}
	for name, values := range fields {
		if len(values) != 1 {
			return p, fmt.Errorf("%s: is there twice", name)
		}
		switch name {
		case "status":
			p.Status = report.Impact(values[0])
		case "summary":
			p.Summary = values[0]
		case "ttl_s":
			if p.TTL, err = strconv.Atoi(values[0]); err != nil {
				return p, fmt.Errorf("ttl_s: %q must be a whole number of seconds", values[0])
			}
		default:
			return p, fmt.Errorf("%s: unknown field; valid are status, summary, ttl_s", name)
		}
	}
	return p, nil
}
