package kmsg

import "strings"

// nic classifies a driver's line: "DRIVER BUSID IFNAME: TEXT", "DRIVER BUSID: TEXT",
// "DRIVER: IFNAME: TEXT", "DRIVER: [FUNC:LINE(IFNAME)]TEXT" or "IFNAME: TEXT". Device
// is the interface, or the bus id if no interface is named.
func nic(name, says string) Line {
	if name == "NETDEV WATCHDOG" { // up to 6.8: "NETDEV WATCHDOG: eth0 (ixgbe): transmit queue 5 timed out"
		iface, rest, ok := strings.Cut(says, " (")
		if ok && isIface(iface) && strings.Contains(rest, "): transmit queue ") {
			return Line{Class: NICHang, Device: iface, Detail: "watchdog"}
		}
	}
	if iface, after, ok := cutSecond(says); ok {
		if _, known := nicDrivers[name]; known {
			return ofNIC(name, iface, iface, after)
		}
	}
	driver, device, iface := parseSource(name)
	if device == "" {
		return Line{}
	}
	// logged with the name of any device's driver, since 5.4
	if iface == "" && strings.HasPrefix(says, "AMD-Vi: Event logged [IO_PAGE_FAULT ") {
		return Line{Class: PCIeFault, Device: device, Detail: "dma"}
	}
	return ofNIC(driver, device, iface, says)
}

// cutSecond cuts the interface that follows a driver's name: "IFNAME: " or
// "[FUNC:LINE(IFNAME)]".
func cutSecond(says string) (iface, rest string, ok bool) {
	if says[0] == '[' {
		iface, rest, ok = cutMark(says)
		return iface, rest, ok && iface != ""
	}
	i := strings.IndexByte(says[:min(len(says), maxIface+1)], ':')
	if i < 1 || !isIface(says[:i]) || !strings.HasPrefix(says[i:], ": ") {
		return "", says, false
	}
	return says[:i], says[i+2:], true
}

// ofNIC classifies a driver's text. The interface is empty if none is named; the same
// is true of the driver.
func ofNIC(driver, device, iface, says string) Line {
	phrases, known := nicDrivers[driver]
	if known {
		if l := aer(device, says); l.Class != Other {
			return l
		}
	}
	plain := afterFunction(says)
	for _, text := range [...]string{says, plain} {
		if p, ok := lookUpNIC(phrases, text); ok {
			return Line{Class: p.class, Device: device, Detail: p.detail}
		}
		if p, ok := lookUpNIC(nicPhrases, text); ok {
			return Line{Class: p.class, Device: device, Detail: p.detail}
		}
		if len(plain) == len(says) {
			break
		}
	}
	if after, ok := strings.CutPrefix(plain, "atlantic: link change old "); ok && known {
		return linkChange(device, after)
	}
	if iface == "" && known {
		iface = device // cxgb4 names a port's link by the bus id only
	}
	return link(iface, plain)
}

// aer classifies the messages of the PCIe error service: "AER: PCIe Bus Error:
// severity=...", without "AER: " up to 4.20.
func aer(device, says string) Line {
	if p, ok := lookUpNIC(aerPhrases, strings.TrimPrefix(says, "AER: ")); ok {
		return Line{Class: p.class, Device: device, Detail: p.detail}
	}
	return Line{}
}

func lookUpNIC(phrases []nicPhrase, s string) (*nicPhrase, bool) {
	if s == "" {
		return nil, false
	}
	for i := range phrases {
		if p := &phrases[i]; p.begins[0] == s[0] && strings.HasPrefix(s, p.begins) && strings.Contains(s[len(p.begins):], p.has) {
			return p, true
		}
	}
	return nil, false
}

// parseSource returns the driver and device that logged a line, and the interface if it is named.
func parseSource(name string) (driver, device, iface string) {
	for _, state := range [...]string{" (unregistering)", " (uninitialized)", " (unregistered)", " (released)"} {
		if before, ok := strings.CutSuffix(name, state); ok {
			name = before
			break
		}
	}
	driver, rest, more := strings.Cut(name, " ")
	switch {
	case !more && isIface(driver):
		return "", driver, driver
	case !more || !isBus(driver):
		return "", "", ""
	}
	bus, iface, more := strings.Cut(rest, " ")
	switch {
	case !isBus(bus):
		return "", "", ""
	case !more:
		return driver, bus, ""
	case isIface(iface):
		return driver, iface, iface
	}
	return "", "", ""
}

// marked classifies a line that begins with a mark: "[qede_link_update:2631(ens3f0)]Link is
// down". Only qed and qede log a mark without a prefix.
func marked(text string) Line {
	driver := "qede"
	if !strings.HasPrefix(text, "[qede_") {
		driver = "qed"
		if !strings.HasPrefix(text, "[qed_") {
			return Line{}
		}
	}
	device, says, ok := cutMark(text)
	if !ok {
		return Line{}
	}
	return ofNIC(driver, device, device, says)
}

// cutMark cuts the "[FUNC:LINE(NAME)]" of bnx2x and qed. The name is an interface or
// a bus id, or is empty if the driver has neither yet.
func cutMark(s string) (name, rest string, ok bool) {
	mark, rest, found := strings.Cut(s, ")]")
	function, name, paren := strings.Cut(mark, "(")
	if !found || !paren || !strings.HasPrefix(function, "[") || strings.ContainsAny(function, " ]") {
		return "", s, false
	}
	function, line, colon := cutLast(function, ':')
	if _, after, number := cutDigits(line, 10); !colon || !number || after != "" || strings.Contains(function, ":") {
		return "", s, false
	}
	if name != "" && !isBus(name) {
		return "", s, false
	}
	return name, rest, true
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

// The words that may precede "link" in a line about an interface's link.
var linkWords = [...]string{"nic ", "copper ", "serdes ", "remote copper ", "port "}

// link recognizes "NIC Link is Up", "Link is down", "Link up", "NIC Copper Link is
// Down" of an interface, and igb's and e1000e's "[igb: ]eth0 NIC Link is Up". The
// link of a PCI slot or SATA port is different: its line names no interface, or
// begins differently.
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
	after := says
	for _, word := range linkWords {
		after, _ = cutFold(after, word)
	}
	after, ok := cutFold(after, "link ")
	after, _ = cutFold(after, "is ")
	if !ok {
		return Line{}
	}
	return linkState(iface, after)
}

// linkChange recognizes atlantic's "OLD new NEW", in Mbit/s.
func linkChange(iface, s string) Line {
	_, s, ok := cutDigits(s, 10)
	s, found := strings.CutPrefix(s, " new ")
	speed, rest, number := cutDigits(s, 10)
	switch {
	case !ok || !found || !number || !ends(rest):
		return Line{}
	case strings.Trim(speed, "0") == "":
		return Line{Class: NICDown, Device: iface}
	}
	return Line{Class: NICUp, Device: iface}
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

// cutFold cuts a prefix, which begins with a lower-case letter, and ignores case.
func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || s[0]|0x20 != prefix[0] || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
