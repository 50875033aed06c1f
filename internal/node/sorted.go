package node

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"
)

// sortedKeys returns a map's keys in order, as no map order may reach a report.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// place is where the element of a name is in a list by name, or would be, and
// whether it is there. Elements are large and asked for often: none is copied.
func place[T any](list []T, name string, of func(*T) string) (int, bool) {
	return sort.Find(len(list), func(i int) int { return strings.Compare(name, of(&list[i])) })
}
