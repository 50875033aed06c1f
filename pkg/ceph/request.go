package ceph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of a request.
const (
	MaxImages      = 20               // per run: each image costs several round trips
	MaxRequest     = 32 << 10         // bytes of JSON: fits into a pipe, so that writing it never blocks
	DefaultTimeout = 10 * time.Second // length of a run
	MinTimeout     = 2 * time.Second
	MaxTimeout     = 2 * time.Minute
)

// A Request is the request to nodewatch-ceph, as JSON on its standard input (--stdin)
// or as flags. It contains no secret: keys stay in the keyring.
type Request struct {
	Conf    string        `json:"conf,omitempty"`     // configuration file; empty: librados' default path
	MonHost string        `json:"mon_host,omitempty"` // monitors, instead of a configuration file
	Cluster string        `json:"cluster,omitempty"`  // name of the cluster; empty: ceph
	Name    string        `json:"name,omitempty"`     // user; empty: client.nodewatch
	Keyring string        `json:"keyring,omitempty"`  // file with the user's key; empty: librados' default path
	Images  []Image       `json:"images,omitempty"`   // images whose watchers to list, at most MaxImages
	Addrs   []string      `json:"addrs,omitempty"`    // this host's IPs or clients, to select blocklist entries
	Timeout time.Duration `json:"timeout,omitempty"`  // nanoseconds, the maximum lifetime of the process; 0: DefaultTimeout
}

// ParseRequest parses a request from JSON. It rejects unknown fields, and requests
// that [Request.Check] rejects.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	if len(b) > MaxRequest {
		return r, fmt.Errorf("ceph: request: more than %d bytes", MaxRequest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Request{}, fmt.Errorf("ceph: request: %w", err)
	}
	if d.More() {
		return Request{}, errors.New("ceph: request: more than one document")
	}
	return r, r.Check()
}

// Check returns an error if the request is invalid. It leaves images and addresses to
// [Request.Fit], so that an invalid one does not cost the whole reply.
func (r Request) Check() error {
	for _, s := range []string{r.Conf, r.MonHost, r.Cluster, r.Name, r.Keyring} {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("ceph: request: a zero byte in %q", s)
		}
	}
	if kind, id, ok := strings.Cut(r.Name, "."); r.Name != "" && (!ok || kind == "" || id == "") {
		return fmt.Errorf("ceph: request: user %q must have the form client.nodewatch", r.Name)
	}
	if r.Timeout != 0 && (r.Timeout < MinTimeout || r.Timeout > MaxTimeout) {
		return fmt.Errorf("ceph: request: timeout %s is not within %s and %s", r.Timeout, MinTimeout, MaxTimeout)
	}
	return nil
}

// Fit returns the request without invalid images and addresses, and a list of the
// removed ones.
func (r Request) Fit() (fit Request, odd []string) {
	fit = r
	fit.Images, fit.Addrs = nil, nil
	for _, i := range r.Images {
		if i.valid() {
			fit.Images = append(fit.Images, i)
		} else {
			odd = append(odd, fmt.Sprintf("%.80q is not a valid image name", i))
		}
	}
	for _, s := range r.Addrs {
		if _, ok := parseAddress(s); ok {
			fit.Addrs = append(fit.Addrs, s)
		} else {
			odd = append(odd, fmt.Sprintf("%.80q is not an address", s))
		}
	}
	return fit, odd
}
