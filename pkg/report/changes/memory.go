package changes

import (
	"reflect"
	"sync"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// A Memory is the Baseline of a reader. It survives restarts if its file does. It is
// safe for concurrent use; only Persist waits for the disk.
type Memory struct {
	file statefile.File

	mu       sync.Mutex
	baseline Baseline
	dirty    bool
	loadErr  error // why the Baseline of the earlier run is unknown
}

// Remember returns the Memory last saved in file. If that cannot be read, its
// Baseline is empty and the first Persist returns the error.
func Remember(file statefile.File) *Memory {
	m := &Memory{file: file}
	if m.loadErr = file.Load(&m.baseline); m.loadErr != nil {
		m.baseline = Baseline{}
	}
	return m
}

// Baseline returns what has been reported to the reader.
func (m *Memory) Baseline() Baseline {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.baseline
}

// Set stores what has now been reported to the reader.
func (m *Memory) Set(t Baseline) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !reflect.DeepEqual(m.baseline, t) {
		m.baseline, m.dirty = t, true
	}
}

// Persist saves what has changed since the last Persist.
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
