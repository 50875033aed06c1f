package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Kind is a kind of trouble as customers notice it.
type Kind string

// The kinds of trouble.
const (
	Storage      Kind = "storage"
	Network      Kind = "network"
	Guests       Kind = "guests"
	Host         Kind = "host"
	Reachability Kind = "reachability" // ping of a host
	Service      Kind = "service"      // anything else that is checked or pushed
)

// order returns the rank of a kind among equally severe troubles: causes come before
// their consequences.
func (k Kind) order() int {
	return slices.Index([]Kind{Reachability, Storage, Network, Host, Service, Guests}, k)
}

// KindOf returns the kind of trouble of a node's component.
func KindOf(component string) Kind {
	switch k := Kind(component); k {
	case Storage, Network, Guests:
		return k
	}
	return Host
}

// sentences are the automatic texts for a kind of trouble. %s is replaced by the
// components.
type sentences struct {
	title, degraded, partial, major string
	recovered                       string // names what works again
	afterCare                       string
}

func (k Kind) sentences() sentences {
	switch k {
	case Storage:
		return sentences{
			"Storage problems: %s",
			"Storage on %s is slow.", "Storage does not respond for some servers on %s.",
			"Storage on %s does not respond. Servers there may hang.",
			"Storage responds again",
			"If your server does not respond, or its file systems are read-only, restart it from the control panel. A restart checks its file systems.",
		}
	case Network:
		return sentences{
			"Network problems: %s",
			"The network of %s is slow or loses packets.", "The network of %s fails for some servers.", "The network of %s is down.",
			"The network works again",
			"Connections recover by themselves. If a service on your server does not, restart that service.",
		}
	case Guests:
		return sentences{
			"Servers affected: %s",
			"Some servers on %s do not run as they should.", "Some servers on %s are paused or have stopped.",
			"Many servers on %s are paused or have stopped.",
			"Servers run again",
			"Check that your server is running, and start it from the control panel if it is not.",
		}
	case Reachability:
		return sentences{
			"No packets returned: %s",
			"Some packets to %s are lost.", "No packets returned by %s.", "No packets returned by %s.",
			"Packets are returned again",
			"",
		}
	case Service:
		return sentences{
			"%s: service problems",
			"%s: slower than usual, or with errors.", "%s: unavailable in part.", "%s: unavailable.",
			"The service works again",
			"",
		}
	}
	return sentences{
		"Host problems: %s",
		"Servers on %s may run slower than usual.", "A fault of the host affects some servers on %s.",
		"A fault of the host affects all servers on %s.",
		"The host works again",
		"If your server does not respond, restart it from the control panel.",
	}
}

func (k Kind) afterCare() string { return k.sentences().afterCare }

// recovered returns the sentence that trouble has ended.
func (k Kind) recovered(since time.Time, closeAfter time.Duration, zone *time.Location) string {
	return fmt.Sprintf("%s since %s. We keep watching for %s.", k.sentences().recovered, clock(since, zone), human.Span(closeAfter))
}

// resolved returns the sentence about how long trouble lasted.
func resolved(from, to time.Time, zone *time.Location) string {
	return fmt.Sprintf("Resolved. It lasted %s, from %s to %s.", human.Span(to.Sub(from)), clock(from, zone), clock(to, zone))
}

// clock formats a time with its date, as it may be read much later.
func clock(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("2006-01-02 15:04 MST")
}

// A text is the automatic text about troubles in one group: at least one, the worst first,
// and one for each component.
type text struct {
	bad  []trouble
	zone *time.Location
}

// maxNamed is the number of components that are named; more are counted.
const maxNamed = 3

// who returns the names of components with their group. The names come from the
// configuration; Markdown in them is escaped when they are used in a body.
func who(list []trouble) string {
	if len(list) > maxNamed {
		return fmt.Sprintf("%d components of %s", len(list), list[0].Place)
	}
	var names []string
	for _, t := range list {
		names = append(names, t.Name)
	}
	all := names[len(names)-1]
	if len(names) > 1 {
		all = strings.Join(names[:len(names)-1], ", ") + " and " + all
	}
	return all + " (" + list[0].Place + ")"
}

func (x text) title() string { return fmt.Sprintf(x.bad[0].Kind.sentences().title, who(x.bad)) }

// happening returns the current troubles as a sentence, the worst first.
func (x text) happening() string {
	var said []string
	for rest := x.bad; len(rest) > 0; {
		first := rest[0]
		var of, others []trouble
		for _, t := range rest {
			if t.now == first.now && t.Kind == first.Kind {
				of = append(of, t)
			} else {
				others = append(others, t)
			}
		}
		s := first.Kind.sentences()
		form := map[report.Impact]string{report.MajorOutage: s.major, report.PartialOutage: s.partial,
			report.DegradedPerformance: s.degraded}[first.now]
		said = append(said, fmt.Sprintf(form, plain(who(of))))
		rest = others
	}
	return strings.Join(said, " ")
}

func (x text) opened(since time.Time) string {
	return fmt.Sprintf("%s This began at %s. We are investigating.", x.happening(), clock(since, x.zone))
}

func (x text) worsened() string { return x.happening() + " We are still investigating." }

func (x text) improved() string { return "Some of it has improved. " + x.happening() }

func (x text) returned() string {
	return "The problem has returned. " + x.happening() + " We are investigating."
}

// plain escapes Markdown syntax.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_[]<>#!|~&", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
