package node

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys returns a map's keys in order, as no map order may reach a report.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// place is where the element of a name is in a list by name, or would be, and
// whether it is there. Elements are large and asked for often: none is copied.
func place[T any](list []T, name string, of func(*T) string) (int, bool) {
	i, j := 0, len(list)
	for i < j {
		h := int(uint(i+j) >> 1)
		if of(&list[h]) < name {
			i = h + 1
		} else {
			j = h
		}
	}
	return i, i < len(list) && of(&list[i]) == name
}
