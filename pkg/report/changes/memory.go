package changes

import (
	"reflect"
	"sync"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// A Memory holds what a reader has been reported, over restarts if its file lasts.
// It is safe for concurrent use, and waits for the disk in Keep only.
type Memory struct {
	file statefile.File

	mu       sync.Mutex
	baseline Baseline
	dirty    bool
	loadErr  error // why what an earlier run reported is not known
}

// Remember returns the Memory that is kept in file, as it was saved last. If that
// cannot be read the reader counts as one that knows nothing, and the first Keep
// says why.
func Remember(file statefile.File) *Memory {
	m := &Memory{file: file}
	if m.loadErr = file.Load(&m.baseline); m.loadErr != nil {
		m.baseline = Baseline{}
	}
	return m
}

// Baseline returns what the reader has been reported.
func (m *Memory) Baseline() Baseline {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.baseline
}

// Set notes what the reader has been reported now.
func (m *Memory) Set(t Baseline) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !reflect.DeepEqual(m.baseline, t) {
		m.baseline, m.dirty = t, true
	}
}

// Persist saves what has changed since the last Keep.
func (m *Memory) Persist() error {
	m.mu.Lock()
	reported, dirty, loadErr := m.baseline, m.dirty, m.loadErr
	m.dirty, m.loadErr = false, nil
	m.mu.Unlock()
	if !dirty {
		return loadErr
	}
	if err := m.file.Save(reported); err != nil {
		m.mu.Lock()
		m.dirty = true
		m.mu.Unlock()
		return err
	}
	return loadErr
}
