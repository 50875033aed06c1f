package ceph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MaxDocument is the maximum length of the child's document, in bytes. That of a
// cluster of 1,820 OSDs has some 200 KiB.
const MaxDocument = 8 << 20

// document bounds the child's document. It allows some ten times the values of 1,820
// OSDs and 800 images.
var document = size{bytes: MaxDocument, values: 200_000}

// Parse parses the JSON document that nodewatch-ceph prints. Unknown fields are
// ignored. The result is sorted, its addresses are normalized ([NormalAddr]), and its
// texts are printable and at most 512 bytes long.
func Parse(b []byte) (Cluster, error) {
	var c Cluster
	if err := document.unmarshal(b, &c); err != nil {
		return Cluster{}, fmt.Errorf("ceph: document: %w", err)
	}
	if c.FSID == "" {
		return Cluster{}, errors.New("ceph: document: no fsid")
	}
	c.sanitize()
	return c, nil
}

// sanitize sorts and cleans c as Parse documents.
func (c *Cluster) sanitize() {
	c.FSID, c.Release = text(c.FSID), text(c.Release)
	c.Health.sanitize()
	c.OSDMap.sanitize()
	for i := range c.Blocklist {
		c.Blocklist[i].sanitize()
	}
	sortEntries(c.Blocklist)
	for i := range c.Watchers {
		c.Watchers[i].sanitize()
	}
	slices.SortStableFunc(c.Watchers, compareWatchers)
	for i := range c.Asked {
		c.Asked[i] = c.Asked[i].sanitize()
	}
	for i := range c.Errors {
		c.Errors[i] = text(c.Errors[i])
	}
	c.Took = max(c.Took, 0)
	if c.Scrubs != nil {
		c.Scrubs.Scrubbing = max(c.Scrubs.Scrubbing, 0)
		c.Scrubs.Deep = min(max(c.Scrubs.Deep, 0), c.Scrubs.Scrubbing)
	}
}

func (w *Watcher) sanitize() {
	w.Pool, w.Namespace, w.Image = text(w.Pool), text(w.Namespace), text(w.Image)
	w.Addr = NormalAddr(w.Addr)
}

func compareWatchers(a, b Watcher) int {
	return cmp.Or(
		cmp.Compare(a.Pool, b.Pool),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Image, b.Image),
		cmp.Compare(a.ClientID, b.ClientID),
		cmp.Compare(a.Cookie, b.Cookie),
		cmp.Compare(a.Addr, b.Addr),
	)
}

func (e *Entry) sanitize() {
	e.Addr, e.Until = NormalAddr(e.Addr), carried(e.Until)
}

func sortEntries(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Addr, b.Addr), a.Until.Compare(b.Until))
	})
}

// carried returns t in UTC, or zero if JSON cannot represent it.
func carried(t time.Time) time.Time {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
