//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// A Stage keeps the world that the scenarios use in turn. A failed scenario may leave
// I/O that hangs in the guest's kernel indefinitely: the next one gets a new world.
type Stage struct {
	ctx         context.Context // ends when the lab is interrupted
	bin, kernel string
	world       atomic.Pointer[World] // closed from another goroutine when the lab is interrupted
	spoiled     string                // why the world cannot be used any more; empty: it can
}

// stage is global, because test functions have no other arguments.
var stage *Stage

// Build builds a world, with a second attempt if necessary.
func (s *Stage) Build() error {
	err := s.build()
	if err == nil || errors.Is(err, errUnavailable) || s.ctx.Err() != nil {
		return err
	}
	fmt.Println("lab: environment: once more, as it could not be built:", err)
	return s.build()
}

func (s *Stage) build() error {
	w, err := Build(s.ctx, s.bin, s.kernel)
	s.world.Store(w) // nil with an error
	return err
}

// Spoil marks the world as unusable for the next scenario.
func (s *Stage) Spoil(reason string) { s.spoiled = reason }

// World returns the world for the next scenario; nil with an error.
func (s *Stage) World() (*World, error) {
	if s.spoiled != "" {
		fmt.Printf("lab: a new world, as %s\n", s.spoiled)
		s.Close()
		if err := s.Build(); err != nil {
			return nil, fmt.Errorf("a new world: %w", err)
		}
		s.spoiled = ""
	}
	return s.world.Load(), nil
}

// Close ends the world and removes it.
func (s *Stage) Close() {
	if w := s.world.Load(); w != nil {
		w.Close()
	}
}
