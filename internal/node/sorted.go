package node

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys returns a map's keys in order, as no map order may reach a report.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
