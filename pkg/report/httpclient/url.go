package httpclient

import (
	"net/url"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// CheckURL returns an error if the address of a backend, which is in the
// configuration under the given name, is invalid; otherwise nil. A user or a query
// may be a secret, so neither is accepted.
func CheckURL(field, address string) error {
	if address == "" {
		return report.WrongField(field, "is missing: set an address such as https://192.0.2.10")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return report.WrongField(field, "is not an address")
	case u.Scheme != "http" && u.Scheme != "https":
		return report.WrongField(field, "must begin with http:// or https://")
	case u.Hostname() == "":
		return report.WrongField(field, "names no host")
	case u.User != nil:
		return report.WrongField(field, "must not contain a user or password: secrets belong in files")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return report.WrongField(field, "must not contain ? or #")
	}
	return nil
}
