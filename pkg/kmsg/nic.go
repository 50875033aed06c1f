package kmsg

import "strings"

// What NIC drivers say of trouble: ixgbe, i40e, ice, igb, e1000e, tg3, bnxt_en,
// mlx5_core, and the stack's own watchdog (net/sched/sch_generic.c).
var nicLines = []phrase{
	{"NETDEV WATCHDOG: ", NICHang, "watchdog"},
	{"Detected Tx Unit Hang", NICHang, "unit hang"},
	{"Detected Hardware Unit Hang", NICHang, "unit hang"},
	{"tx_timeout: VSI_seid", NICHang, "timeout"},
	{"TX timeout ", NICHang, "timeout"},
	{"transmit timed out", NICHang, "timeout"},
	{"initiating reset due to tx timeout", NICReset, ""},
	{"initiating reset to clear Tx work", NICReset, ""},
	{"Reset adapter", NICReset, ""},
	{"starting health recovery flow", NICReset, "recovery"},
	{"health recovery succeeded", NICReset, "recovered"},
	{"health recovery failed", NICFault, "recovery failed"},
	{"Adapter removed", NICFault, "removed"},
	{"Warning firmware error detected", NICFault, "firmware"},
	{"Detected firmware fatal condition", NICFault, "firmware"},
	{"Firmware not responding", NICFault, "firmware"},
	{"Malicious Driver Detection event", NICFault, "malicious driver"},
	{"Port module event[error]", NICFault, "module"},
	{"device's health compromised", NICFault, "health"},
}

// nic says what a driver's line means: "DRIVER BUSID IFNAME: TEXT", "DRIVER
// BUSID: TEXT", or "IFNAME: TEXT". Device is the interface, or the bus id where
// none is named.
func nic(name, says string) Line {
	if name == "NETDEV WATCHDOG" { // up to 6.8: "NETDEV WATCHDOG: eth0 (ixgbe): transmit queue 5 timed out"
		iface, rest, ok := strings.Cut(says, " (")
		if ok && isIface(iface) && strings.Contains(rest, "): transmit queue ") {
			return Line{Class: NICHang, Device: iface, Detail: "watchdog"}
		}
	}
	device, iface := speaker(name)
	if device == "" {
		return Line{}
	}
	says = afterFunction(says)
	if p, ok := lookUp(nicLines, says); ok {
		return Line{Class: p.class, Device: device, Detail: p.detail}
	}
	if after, ok := strings.CutPrefix(says, "Fatal error "); ok {
		if _, rest, ok := cutDigits(after, 10); ok && strings.HasPrefix(rest, " detected") {
			return Line{Class: NICFault, Device: device, Detail: "fatal"}
		}
	}
	return link(iface, says)
}

// speaker returns whose line it is, and which interface if one is named.
func speaker(name string) (device, iface string) {
	for _, state := range [...]string{" (unregistering)", " (uninitialized)", " (unregistered)", " (released)"} {
		if before, ok := strings.CutSuffix(name, state); ok {
			name = before
			break
		}
	}
	driver, rest, more := strings.Cut(name, " ")
	switch {
	case !more && isIface(driver):
		return driver, driver
	case !more || !isBus(driver):
		return "", ""
	}
	bus, iface, more := strings.Cut(rest, " ")
	switch {
	case !isBus(bus):
		return "", ""
	case !more:
		return bus, ""
	case isIface(iface):
		return iface, iface
	}
	return "", ""
}

// afterFunction strips "FUNC:LINE:(pid N): ", which mlx5_core puts before its errors.
func afterFunction(s string) string {
	i := strings.Index(s, ":(pid ")
	if i < 0 {
		return s
	}
	function, line, ok := strings.Cut(s[:i], ":")
	if _, rest, number := cutDigits(line, 10); !ok || !number || rest != "" || strings.IndexByte(function, ' ') >= 0 {
		return s
	}
	if _, rest, ok := cutDigits(s[i+len(":(pid "):], 10); ok && strings.HasPrefix(rest, "): ") {
		return rest[len("): "):]
	}
	return s
}

// link recognizes "NIC Link is Up", "Link is down", "Link up" of an interface,
// and igb's and e1000e's "[igb: ]eth0 NIC Link is Up". A PCI slot's or SATA
// port's link is another matter: those name no interface, or begin otherwise.
func link(iface, says string) Line {
	for _, driver := range [...]string{"igb: ", "e1000e: "} {
		says = strings.TrimPrefix(says, driver)
	}
	if named, after, ok := strings.Cut(says, " NIC Link is "); ok && isIface(named) {
		return linkState(named, after)
	}
	if iface == "" {
		return Line{}
	}
	after, _ := cutFold(says, "nic ")
	after, ok := cutFold(after, "link ")
	after, _ = cutFold(after, "is ")
	if !ok {
		return Line{}
	}
	return linkState(iface, after)
}

func linkState(iface, s string) Line {
	if rest, ok := cutFold(s, "up"); ok && ends(rest) {
		return Line{Class: NICUp, Device: iface}
	}
	if rest, ok := cutFold(s, "down"); ok && ends(rest) {
		return Line{Class: NICDown, Device: iface}
	}
	return Line{}
}

// cutFold cuts a prefix, whatever its letters' case.
func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
