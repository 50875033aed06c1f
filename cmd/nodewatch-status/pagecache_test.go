package main

import (
	"sync"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/page"
)

// A page with many concurrent requests is rendered once and is the same for all.
func TestPagesAreMadeOnce(t *testing.T) {
	renderer, err := page.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(configured(t, onePage))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{snapshot: page.Build(page.Input{Config: c, Now: time.Now()}), page: renderer, made: map[string]document{}}
	paths := append(s.paths(), "nothing")
	var all sync.WaitGroup
	bodies := make([][]*byte, 8)
	for n := range bodies {
		all.Go(func() {
			for _, path := range paths {
				d, err := s.document(path)
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
				var first *byte
				if len(d.body) > 0 {
					first = &d.body[0]
				}
				bodies[n] = append(bodies[n], first)
			}
		})
	}
	all.Wait()
	for n := range bodies {
		for i, path := range paths {
			if bodies[n][i] != bodies[0][i] {
				t.Errorf("%s was made more than once", path)
			}
		}
	}
	if _, kept := s.made["nothing"]; kept {
		t.Error("what there is not is kept: anybody could fill the memory")
	}
}
