package ethswitch

import "time"

// SetChannel sets how the members are bundled and what they are chosen by.
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

// SetHash sets what the members are chosen by, and leaves the bundle as it is.
func (s *Switch) SetHash(h Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hash = h
}

// SetMute makes the switch deaf and dumb in LACP; frames are forwarded as before
// until the partner times out.
func (s *Switch) SetMute(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = mute
}

// SetWatch has f called for each frame that comes into the switch, with the name of
// the port and in the order of that port; nil ends it. f must not keep the frame and
// must not call the switch.
func (s *Switch) SetWatch(f func(port string, frame []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// SetRate limits the named port.
func (s *Switch) SetRate(name string, r Rate) { s.port(name, func(p *port) { p.rate = r }) }

// SetDamage says which frames sent to the named port are damaged from now on.
func (s *Switch) SetDamage(name string, d Damage) {
	s.port(name, func(p *port) { p.damage, p.passed = d, 0 })
}

// SetDown makes the named port swallow all frames, or not.
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

// Counters are the counters of each port, by name.
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

// Bundled is how many members the port-channel can send on.
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
