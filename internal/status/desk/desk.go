// Package desk is what operators do by hand, however they ask for it: on the operators'
// pages, by the API or by commands. It is called within a transaction, and notes in the
// audit log who has done what. What it refuses it says in a sentence.
package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// The most that an operator writes, in bytes.
const (
	MaxTitle = 200
	MaxBody  = 32 << 10
)

// Recent is how long ago an incident changed or a maintenance ended that is listed.
const Recent = 90 * 24 * time.Hour

// A Desk is where somebody does something now.
type Desk struct {
	Config config.Config // in force
	Who    string        // for the audit log
	Now    time.Time
}

// A Mistake is what is wrong in what an operator has asked for, in a sentence.
type Mistake string

// Error implements error.
func (m Mistake) Error() string { return string(m) }

// A Conflict is why something cannot be done as things are, in a sentence.
type Conflict string

// Error implements error.
func (c Conflict) Error() string { return string(c) }

// wrong is a Mistake.
func wrong(format string, args ...any) error { return Mistake(fmt.Sprintf(format, args...)) }

// A Version is an incident or a maintenance as an operator has seen it.
type Version struct {
	Ref      string
	Revision int64 // 0: whatever it is now
}

// seen says that somebody has changed what an operator has seen.
func (v Version) seen(revision int64) error {
	if v.Revision != 0 && v.Revision != revision {
		return store.ErrChanged
	}
	return nil
}

// A Component is a public component.
type Component struct{ ID, Name string }

// Components are the public components, with the names of their groups.
func Components(c config.Config) (list []Component) {
	for _, g := range c.Groups {
		for _, x := range g.Components {
			list = append(list, Component{x.ID, g.Name + " - " + x.Name})
		}
	}
	return list
}

// Groups are the groups of public components.
func Groups(c config.Config) (list []Component) {
	for _, g := range c.Groups {
		list = append(list, Component{g.ID, g.Name + " (all)"})
	}
	return list
}

// members are the component of an id, or the components of the group of an id.
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

// text is what an operator has written: it must be something, and not too much.
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

// title is a text on one line.
func title(s string) (string, error) {
	return text("The title", strings.Join(strings.Fields(s), " "), MaxTitle)
}

// cut is the begin of a text, for a sentence.
func cut(s string, n int) string {
	if s = strings.ToValidUTF8(s, "?"); len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// entry is an entry of the audit log for what is done now.
func (d Desk) entry(action string) store.Entry {
	return store.Entry{At: d.Now, Who: d.Who, Action: action}
}

// choice says that a word is none of those that are allowed.
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
