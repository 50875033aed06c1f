package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Web configures the HTTP server.
type Web struct {
	Listen      []string `yaml:"listen" doc:"addresses to serve on, such as 192.0.2.7:10090 or [2001:db8::7]:10090; --web.listen-address overrides it"`
	Config      string   `yaml:"config_file" doc:"file for TLS and basic authentication, in exporter-toolkit's format; --web.config.file overrides it"`
	Connections int      `yaml:"max_connections" doc:"maximum number of open connections from other machines; this machine may open 10 more. Beyond that, the connection that has waited longest for a request is closed. --web.max-connections overrides it" min:"10" max:"10000"`
}

// Mistakes returns the errors in w; none if it is valid. It reads no file.
func (w Web) Mistakes() []*report.FieldError {
	var list []*report.FieldError
	wrong := func(field, format string, args ...any) {
		list = append(list, &report.FieldError{Field: field, Text: fmt.Sprintf(format, args...)})
	}
	if len(w.Listen) == 0 {
		wrong("listen", "is empty: set an address such as 127.0.0.1:10090")
	}
	for i, address := range w.Listen {
		field := fmt.Sprintf("listen[%d]", i)
		if mistake := wrongAddress(address); mistake != "" {
			wrong(field, "%q is not allowed: %s", address, mistake)
		} else if j := slices.IndexFunc(w.Listen[:i], func(other string) bool { return overlap(other, address) }); j >= 0 {
			if w.Listen[j] == address {
				wrong(field, "%s is listed twice", address)
			} else {
				wrong(field, "%s overlaps with %s: both cannot be served", address, w.Listen[j])
			}
		}
	}
	if w.Connections < minConnections || w.Connections > maxConnections {
		wrong("max_connections", "%d is not allowed: must be a whole number from %d to %d", w.Connections, minConnections, maxConnections)
	}
	return list
}

// The allowed range of Web.Connections, as in its tag.
const (
	minConnections = 10
	maxConnections = 10000
)

// overlap reports whether the kernel refuses to listen on both addresses: they have the
// same port, and the same host or one that means all addresses of the machine. Names
// are compared, not resolved.
func overlap(a, b string) bool {
	hostA, portA := hostPort(a)
	hostB, portB := hostPort(b)
	return portA == portB && portA != 0 && (hostA == hostB || hostA == "" || hostB == "")
}

// hostPort splits a listen address. Different spellings of a host are the same; empty
// means all addresses of the machine.
func hostPort(address string) (host string, port uint64) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address, 0
	}
	port, err := strconv.ParseUint(address[i+1:], 10, 16)
	if err != nil {
		return address, 0
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(address[:i], "[]"), "."))
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return "", port
	} else if err == nil {
		return ip.Unmap().String(), port
	}
	return host, port
}

// wrongAddress returns why a listen address, a host and a port, is invalid; empty if
// it is valid. The host may be an IP address, a name or empty.
func wrongAddress(address string) string {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "the port is missing, as in 127.0.0.1:10090"
	}
	host, port := address[:i], address[i+1:]
	if n, err := strconv.ParseUint(port, 10, 32); err != nil || n > 65535 {
		return "the port must be a number from 0 to 65535"
	}
	if inner, bracket := strings.CutPrefix(host, "["); bracket {
		inner, closed := strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !closed || inner != "" && (err != nil || !ip.Is6()) {
			return "between [ and ] must be an IPv6 address"
		}
		return unreachable(ip)
	}
	if strings.Contains(host, ":") {
		return "an IPv6 address must be in brackets, as in [2001:db8::7]:10090"
	}
	if numeric := strings.Trim(host, "0123456789.") == "" && host != ""; numeric {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is4() {
			return "the host is not an IP address"
		}
		return unreachable(ip)
	}
	if !isHostName(host) {
		return "the host must be an IP address, a name or empty"
	}
	return ""
}

// unreachable returns why no client can connect to an address on which the kernel
// nevertheless allows to listen; empty if clients can.
func unreachable(ip netip.Addr) string {
	if ip = ip.Unmap(); ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return "nothing can connect to a multicast or broadcast address"
	}
	return ""
}

// isHostName reports whether the text is a valid host name (RFC 1123) or empty.
func isHostName(text string) bool {
	if text == "" {
		return true
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, c := range label {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", c) {
				return false
			}
		}
	}
	return len(text) <= 253
}
