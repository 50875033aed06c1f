package host

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A Release is a kernel version as numbers.
type Release struct {
	Major int
	Minor int
	Patch int  // the stable level; a lower bound unless Exact
	Exact bool // Patch is known: Debian, Ubuntu and RHEL always print 0
}

// ParseRelease parses the output of uname -r: 6.8.12-4-pve, 6.1.0-56-amd64.
//
// A patch of 0 before a suffix does not show the patch level, because distributions
// freeze it to keep their module ABI: the Release is then not Exact. [State.Upstream]
// may have the patch level.
func ParseRelease(s string) (Release, error) {
	major, rest, ok := number(s)
	if !ok || !strings.HasPrefix(rest, ".") {
		return Release{}, fmt.Errorf("host: %.40q is not a kernel release", s)
	}
	minor, rest, ok := number(rest[1:])
	if !ok {
		return Release{}, fmt.Errorf("host: %.40q is not a kernel release", s)
	}
	r := Release{Major: major, Minor: minor}
	if !strings.HasPrefix(rest, ".") {
		return r, nil
	}
	if patch, rest, ok := number(rest[1:]); ok {
		r.Patch, r.Exact = patch, patch > 0 || rest == ""
	}
	return r, nil
}

// number parses a decimal number of at most six digits at the front of s.
func number(s string) (n int, rest string, ok bool) {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == 0 || end > 6 {
		return 0, s, false
	}
	n, err := strconv.Atoi(s[:end])
	return n, s[end:], err == nil
}

// Compare orders releases by number: -1, 0 or +1. It ignores Exact: within one
// Major.Minor the order is only reliable if both are Exact.
func (r Release) Compare(other Release) int {
	return cmp.Or(
		cmp.Compare(r.Major, other.Major),
		cmp.Compare(r.Minor, other.Minor),
		cmp.Compare(r.Patch, other.Patch),
	)
}

// String returns 6.1.192, or 6.1.x if the stable level is unknown.
func (r Release) String() string {
	if !r.Exact {
		return fmt.Sprintf("%d.%d.x", r.Major, r.Minor)
	}
	return fmt.Sprintf("%d.%d.%d", r.Major, r.Minor, r.Patch)
}

// Upstream returns the kernel.org release that the running kernel is built from, if the
// distribution reports it: Ubuntu in /proc/version_signature, Debian and Proxmox at the
// end of /proc/version, others in the release itself. It ignores a version of another
// series than the release's. Fixes that the distribution added on top are not in the
// number.
func (s State) Upstream() (Release, error) {
	r, err := ParseRelease(s.Release)
	if err != nil {
		return Release{}, err
	}
	for _, word := range []string{upstreamRelease(s.Signature), packaged(s.Version)} {
		said, err := ParseRelease(word)
		if err == nil && said.Exact && said.Major == r.Major && said.Minor == r.Minor {
			return said, nil
		}
	}
	return r, nil
}

// upstreamRelease returns the upstream release of an Ubuntu version signature:
// 5.15.131 of "Ubuntu 5.15.0-91.101-generic 5.15.131".
func upstreamRelease(signature string) string {
	words := strings.Fields(signature)
	if len(words) < 3 {
		return ""
	}
	return words[2]
}

// packaged returns the version after the packager's name in the build part of
// /proc/version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-10-01)". The part
// before it names the compiler, which has a Debian version too.
func packaged(version string) string {
	at := strings.LastIndex(version, ") #")
	if at < 0 {
		return ""
	}
	words := strings.Fields(version[at:])
	for i, word := range words[:len(words)-1] {
		if word == "Debian" || word == "PMX" {
			return words[i+1]
		}
	}
	return ""
}
