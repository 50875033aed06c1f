// Package desk implements the manual actions of operators, whether requested on the
// operators' pages, by the API or by commands. It is called within a transaction and
// records each action and its operator in the audit log. It refuses an action with a
// sentence.
package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// The maximum lengths of operators' texts, in bytes.
const (
	MaxTitle = 200
	MaxBody  = 32 << 10
)

// Recent is how long ago a listed incident may have changed or a listed maintenance
// may have ended.
const Recent = 90 * 24 * time.Hour

// A Desk is the context of one operator's actions.
type Desk struct {
	Config config.Config // in force
	Who    string        // the operator's name for the audit log
	Now    time.Time
}

// A Mistake describes in a sentence what is wrong in an operator's request.
type Mistake string

// Error implements error.
func (m Mistake) Error() string { return string(m) }

// A Conflict describes in a sentence why the current state does not allow a request.
type Conflict string

// Error implements error.
func (c Conflict) Error() string { return string(c) }

// wrong returns a Mistake.
func wrong(format string, args ...any) error { return Mistake(fmt.Sprintf(format, args...)) }

// A Version identifies an incident or a maintenance as an operator has seen it.
type Version struct {
	Ref      string
	Revision int64 // 0: any revision
}

// seen returns an error if the revision is no longer the one that the operator has
// seen.
func (v Version) seen(revision int64) error {
	if v.Revision != 0 && v.Revision != revision {
		return store.ErrChanged
	}
	return nil
}

// A Component is a public component.
type Component struct{ ID, Name string }

// Components returns the public components, with the names of their groups.
func Components(c config.Config) (list []Component) {
	for _, g := range c.Groups {
		for _, x := range g.Components {
			list = append(list, Component{x.ID, g.Name + " - " + x.Name})
		}
	}
	return list
}

// Groups returns the groups of public components.
func Groups(c config.Config) (list []Component) {
	for _, g := range c.Groups {
		list = append(list, Component{g.ID, g.Name + " (all)"})
	}
	return list
}

// members returns the component with an id, or the components of the group with that
// id.
func (d Desk) members(id string) (ids []string, err error) {
	for _, g := range d.Config.Groups {
		for _, c := range g.Components {
			if c.ID == id || g.ID == id {
				ids = append(ids, c.ID)
			}
		}
	}
	if len(ids) == 0 {
		return nil, wrong("There is no component or group %q.", cut(id, 64))
	}
	return ids, nil
}

// text checks a text of an operator: it must be neither empty nor too long.
func text(what, s string, most int) (string, error) {
	s = strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\r\n", "\n"))
	switch {
	case s == "":
		return "", wrong("%s must not be empty.", what)
	case len(s) > most:
		return "", wrong("%s has %d bytes; at most %d are allowed.", what, len(s), most)
	}
	return s, nil
}

// title checks a text and puts it on one line.
func title(s string) (string, error) {
	return text("The title", strings.Join(strings.Fields(s), " "), MaxTitle)
}

// cut returns the beginning of a text, for use in a sentence.
func cut(s string, n int) string {
	if s = strings.ToValidUTF8(s, "?"); len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// entry returns an audit log entry for the current action.
func (d Desk) entry(action string) store.Entry {
	return store.Entry{At: d.Now, Who: d.Who, Action: action}
}

// choice returns an error if a word is not one of the allowed ones.
func choice[T ~string](what string, word T, allowed []T) error {
	if slices.Contains(allowed, word) {
		return nil
	}
	var words []string
	for _, w := range allowed {
		words = append(words, string(w))
	}
	return wrong("%s must be one of %s.", what, strings.Join(words, ", "))
}
