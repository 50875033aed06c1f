package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nodewatch/nodewatch/internal/strictyaml"
)

// Operators defines where the operators' pages are served and how operators sign in.
type Operators struct {
	Listen  []string `yaml:"listen"`          // addresses, HOST:PORT
	WebFile string   `yaml:"web_config_file"` // file for TLS and basic auth, in exporter-toolkit's format; empty: neither
	Proxy   Proxy    `yaml:"trusted_proxy"`
}

// A Proxy is a reverse proxy that authenticates operators.
type Proxy struct {
	Header string   `yaml:"header"` // header with the operator's name, such as X-Remote-User; empty: no header is trusted
	From   []string `yaml:"from"`   // addresses or networks of the proxy

	Networks []netip.Prefix // From, parsed
}

func (p *Proxy) check(d *strictyaml.Document) {
	const field = "operators.trusted_proxy"
	if p.Header == "" {
		if len(p.From) > 0 {
			d.Wrong(field+".from", "must name the header that the proxy sets")
		}
		return
	}
	if strings.Trim(strings.ToLower(p.Header), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		d.Wrong(field+".header", "%q must be the name of a header, such as X-Remote-User", p.Header)
	}
	if len(p.From) == 0 {
		d.Wrong(field+".from", "must list the addresses of the proxy, because other clients could set the header too")
	}
	for i, text := range p.From {
		n, err := netip.ParsePrefix(text)
		if a, single := netip.ParseAddr(text); single == nil {
			n, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			d.Wrong(fmt.Sprintf("%s.from[%d]", field, i), "%q must be an address or a network, such as 192.0.2.1 or 192.0.2.0/24", text)
			continue
		}
		p.Networks = append(p.Networks, n.Masked())
	}
}

// Trusts reports whether an address belongs to the proxy.
func (p Proxy) Trusts(a netip.Addr) bool {
	for _, n := range p.Networks {
		if n.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
