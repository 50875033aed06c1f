package ethswitch

import "time"

// SetChannel sets the type of the port-channel and its hash.
func (s *Switch) SetChannel(c Channel, h Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channel, s.hash = c, h
	clear(s.table)
	for _, p := range s.ports {
		p.mu.Lock()
		p.lacp = lacp{}
		p.mu.Unlock()
	}
}

// SetHash sets the hash of the port-channel, and keeps its type.
func (s *Switch) SetHash(h Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hash = h
}

// SetMute makes the switch neither send nor receive LACPDUs; frames are forwarded
// until the partner times out.
func (s *Switch) SetMute(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = mute
}

// SetWatch makes the switch call f for each received frame, with the name of the port
// and in the order of that port; nil ends this. f must not keep the frame and must
// not call the switch.
func (s *Switch) SetWatch(f func(port string, frame []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// SetRate limits the rate of the named port.
func (s *Switch) SetRate(name string, r Rate) { s.port(name, func(p *port) { p.rate = r }) }

// SetDamage sets which frames sent to the named port are damaged from now on.
func (s *Switch) SetDamage(name string, d Damage) {
	s.port(name, func(p *port) { p.damage, p.passed = d, 0 })
}

// SetDown sets whether the named port discards all frames.
func (s *Switch) SetDown(name string, down bool) { s.port(name, func(p *port) { p.down = down }) }

func (s *Switch) port(name string, change func(*port)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ports {
		if p.name == name {
			p.mu.Lock()
			change(p)
			p.mu.Unlock()
		}
	}
}

// Counters returns the counters of each port, by name.
func (s *Switch) Counters() map[string]Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]Counters{}
	for _, p := range s.ports {
		p.mu.Lock()
		all[p.name] = p.counters
		p.mu.Unlock()
	}
	return all
}

// Bundled returns the number of members on which the port-channel can send.
func (s *Switch) Bundled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, now := 0, time.Now()
	for _, p := range s.ports {
		if p.member && p.usable(s.channel, now) {
			n++
		}
	}
	return n
}
