package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// The limits of a list's length in one response.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// A part is the requested range of a list.
type part struct{ offset, limit int }

// page reads limit and offset.
func (c *call) page() (p part, err error) {
	if p.limit, err = c.number("limit", 1, maxLimit, defaultLimit); err != nil {
		return p, err
	}
	p.offset, err = c.number("offset", 0, 1<<31-1, 0)
	return p, err
}

// cut returns a part of a list.
func cut[T any](list []T, p part) []T {
	from := min(p.offset, len(list))
	return list[from:min(from+p.limit, len(list))]
}

// number reads a numeric parameter.
func (c *call) number(name string, least, most, otherwise int) (int, error) {
	text := c.q.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, refusal{http.StatusBadRequest, fmt.Sprintf("%s must be a number from %d to %d.", name, least, most)}
	}
	return n, nil
}

// choice reads a parameter that must be one of the allowed words; empty: it is not
// set.
func (c *call) choice(name string, allowed ...string) (string, error) {
	word := c.q.URL.Query().Get(name)
	if word == "" || slices.Contains(allowed, word) {
		return word, nil
	}
	return "", refusal{http.StatusBadRequest, fmt.Sprintf("%s must be one of %s.", name, strings.Join(allowed, ", "))}
}

// missing returns err, or store.ErrNotFound if it is nil.
func missing(err error) error { return cmp.Or(err, store.ErrNotFound) }
