package changes

import (
	"reflect"
	"sync"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// A Memory holds what a reader has been told, over restarts if its file lasts.
// It is safe for concurrent use, and waits for the disk in Keep only.
type Memory struct {
	file statefile.File

	mu    sync.Mutex
	told  Baseline
	dirty bool
	lost  error // why what an earlier run told is not known
}

// Remember returns the Memory that is kept in file, as it was saved last. If that
// cannot be read the reader counts as one that knows nothing, and the first Keep
// says why.
func Remember(file statefile.File) *Memory {
	m := &Memory{file: file}
	if m.lost = file.Load(&m.told); m.lost != nil {
		m.told = Baseline{}
	}
	return m
}

// Baseline returns what the reader has been told.
func (m *Memory) Baseline() Baseline {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told
}

// Set notes what the reader has been told now.
func (m *Memory) Set(t Baseline) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !reflect.DeepEqual(m.told, t) {
		m.told, m.dirty = t, true
	}
}

// Persist saves what has changed since the last Keep.
func (m *Memory) Persist() error {
	m.mu.Lock()
	told, dirty, lost := m.told, m.dirty, m.lost
	m.dirty, m.lost = false, nil
	m.mu.Unlock()
	if !dirty {
		return lost
	}
	if err := m.file.Save(told); err != nil {
		m.mu.Lock()
		m.dirty = true
		m.mu.Unlock()
		return err
	}
	return lost
}
