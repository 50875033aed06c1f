package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
)

// doHost: host {fields of host.State}
func (n *simulator) doHost(w words) error {
	n.fresh[node.SourceHost] = true
	n.host.IO, n.host.Waiting = cloned(n.host.IO), cloned(n.host.Waiting)
	return patch(w.rest, &n.host)
}

func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// doCluster: cluster {fields of ceph.Cluster}
func (n *simulator) doCluster(w words) error {
	delete(n.hidden, node.SourceCeph)
	n.fresh[node.SourceCeph] = true
	return patch(w.rest, &n.cluster)
}

// doBlind: blind SOURCE stalled|failed|denied|absent|silent TEXT
func (n *simulator) doBlind(w words) error {
	name, rest := w.first()
	if err := knownSource(name); err != nil {
		return err
	}
	kind, text, _ := strings.Cut(rest, " ")
	switch k := node.ErrorKind(kind); k {
	case node.Stalled, node.Failed, node.Denied, node.Absent, silent:
		n.hidden[name] = node.Error{Kind: k, Text: text, Since: n.in.start.Add(w.at)}
	default:
		return fmt.Errorf("%q is not stalled, failed, denied, absent or silent", kind)
	}
	n.fresh[name] = true
	return nil
}

// knownSource returns an error if a simulated node has no such source.
func knownSource(name string) error {
	var names []string
	for _, r := range rounds {
		if r.name == name {
			return nil
		}
		names = append(names, r.name)
	}
	return fmt.Errorf("%q is not a source; the sources are %s", name, strings.Join(names, ", "))
}

// doVisibility: sight SOURCE: makes a blind source readable again
func (n *simulator) doVisibility(w words) error {
	if err := knownSource(w.rest); err != nil {
		return err
	}
	delete(n.hidden, w.rest)
	n.fresh[w.rest] = true
	return nil
}

// doLog: log TEXT, at level 4
func (n *simulator) doLog(w words) error {
	n.logs = append(n.logs, logged{level: 4, text: w.rest, after: w.at % time.Second})
	return nil
}

// doHistory: history AGO TEXT: logged that long before nodewatch started
func (n *simulator) doHistory(w words) error {
	text, line := w.first()
	ago, err := time.ParseDuration(text)
	if err != nil || ago <= 0 || ago > 30*24*time.Hour {
		return fmt.Errorf("%q is not a duration such as 20m", text)
	}
	n.logs = append(n.logs, logged{level: 4, text: line, history: ago})
	return nil
}

// doLost: lost COUNT: the given number of records were overwritten before they could
// be read.
func (n *simulator) doLost(w words) error {
	records, err := count(w.rest, 1e9)
	n.logs = append(n.logs, logged{level: 6, text: "e1000e: the ring came round", lost: uint64(records)})
	return err
}

// maxOSDs is the maximum number of OSDs that a loop may log lines for.
const maxOSDs = 10000

// doLoop: loop NAME every=50ms for=osd1..osd182 TEXT|TEXT: logs each of the lines
// once in every period for each OSD in turn, with "%o" replaced by the OSD's number
// and "%h" by the last part of its host's address, one of seven.
func (n *simulator) doLoop(w words) error {
	name, rest := w.first()
	l := loop{name: name, level: 4, every: time.Second, next: w.at}
	from, to := 0, 0
	for {
		word, more, _ := strings.Cut(rest, " ")
		key, value, is := strings.Cut(word, "=")
		if !is || key != "every" && key != "for" {
			break
		}
		var err error
		if key == "every" {
			l.every, err = time.ParseDuration(value)
		} else {
			a, b, _ := strings.Cut(value, "..")
			from, err = strconv.Atoi(strings.TrimPrefix(a, "osd"))
			to = from
			if b != "" {
				to, err = strconv.Atoi(strings.TrimPrefix(b, "osd"))
			}
		}
		if err != nil || l.every < 100*time.Microsecond {
			return fmt.Errorf("%q is not every=DURATION of at least 100us, or for=osdN..osdM", word)
		}
		rest = more
	}
	if rest == "" || from < 0 || to < from || to-from >= maxOSDs {
		return fmt.Errorf("no text, or not 1 to %d OSDs", maxOSDs)
	}
	for osd := from; osd <= to; osd++ {
		for _, text := range strings.Split(rest, "|") {
			numbers := strings.NewReplacer("%o", strconv.Itoa(osd), "%h", strconv.Itoa(33+osd%7))
			l.texts = append(l.texts, numbers.Replace(text))
		}
	}
	n.loops = append(n.loops, l)
	return nil
}

// doCalm: calm NAME: ends that loop
func (n *simulator) doCalm(w words) error {
	for i := range n.loops {
		if n.loops[i].name == w.rest {
			n.loops = append(n.loops[:i:i], n.loops[i+1:]...)
			return nil
		}
	}
	var names []string
	for _, l := range n.loops {
		names = append(names, l.name)
	}
	return fmt.Errorf("no loop %q; known are %s", w.rest, strings.Join(names, ", "))
}

// doPlay: play FILE: a capture of /dev/kmsg from now on, with its own timestamps
func (n *simulator) doPlay(w words) error {
	text, err := n.in.part(w.rest)
	if err != nil {
		return err
	}
	var first time.Duration
	for i, record := range strings.Split(strings.TrimSpace(text), "\n") {
		head, line, found := strings.Cut(record, ";")
		fields := strings.Split(head, ",")
		if !found || len(fields) < 4 {
			continue // a further line of the previous record
		}
		level, e1 := strconv.Atoi(fields[0])
		usec, e2 := strconv.ParseInt(fields[2], 10, 64)
		if e1 != nil || e2 != nil {
			return fmt.Errorf("part %s: line %d is not a record of /dev/kmsg", w.rest, i+1)
		}
		at := time.Duration(usec) * time.Microsecond
		if first == 0 {
			first = at
		}
		n.loops = append(n.loops, loop{name: "play " + w.rest, level: level, every: 100 * 24 * time.Hour, texts: []string{line},
			next: w.at + at - first})
	}
	return nil
}

// doReporter: reporter NAME {fields of node.Delivery}
func (n *simulator) doReporter(w words) error {
	name, fields := w.first()
	at := n.in.start.Add(w.at)
	n.fresh[node.SourceReporters] = true
	i := slices.IndexFunc(n.reports, func(d node.Delivery) bool { return d.Name == name })
	if i < 0 {
		i = len(n.reports)
		n.reports = append(n.reports, node.Delivery{Name: name, Backend: "webhook", State: node.DeliveryOK, Since: at})
	}
	d := &n.reports[i]
	was := d.State
	err := patch(fields, d)
	if d.State != was {
		d.Since = at
	}
	return err
}

// deliveries returns the delivery status of the reporters: working ones have just delivered.
func (n *simulator) deliveries(at time.Time) []node.Delivery {
	for i := range n.reports {
		if d := &n.reports[i]; d.State == node.DeliveryOK {
			d.Last = at
		}
	}
	return slices.Clone(n.reports)
}

// doAck: ack RULE SEVERITY FOR [SUBJECT]: an operator acknowledges the rule's findings up
// to the severity, those of the subject or all, for a duration.
func (n *simulator) doAck(w words) error {
	list := strings.SplitN(w.rest, " ", 4)
	if len(list) < 3 {
		return fmt.Errorf("%q is not a rule, a severity and a duration such as 2h", w.rest)
	}
	d, err := time.ParseDuration(list[2])
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 2h", list[2])
	}
	at := n.in.start.Add(w.at)
	a := override.Acknowledgement{Rule: list[0], Severity: list[1], At: at, Until: at.Add(d), By: "oncall", Reason: "acknowledged"}
	if len(list) == 4 {
		a.Subject = list[3]
	}
	n.acked = append(n.acked, a)
	n.fresh[node.SourceOverrides] = true
	return override.Overrides{Accepted: n.acked}.Check()
}
