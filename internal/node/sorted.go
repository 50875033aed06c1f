package node

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"
)

// sortedKeys returns a map's keys in order, because map order must not affect a
// report.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// place returns the index of the element with a name in a sorted list, or where it
// would be, and whether it exists. Elements are large and looked up often, so none is
// copied.
func place[T any](list []T, name string, of func(*T) string) (int, bool) {
	return sort.Find(len(list), func(i int) int { return strings.Compare(name, of(&list[i])) })
}
