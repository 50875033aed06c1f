package storage

import (
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A kernelBug is a published bug of the kernel's Ceph client.
type kernelBug struct {
	id       string
	what     string
	affected []releases // affected kernel.org releases as published, oldest first
	exposed  func(rule.Input) (evidence, against []report.Evidence)
	advice   []report.Advice
}

// releases is a range of releases from first to last, both included.
type releases struct{ first, last host.Release }

func from(major, minor, patch int) host.Release {
	return host.Release{Major: major, Minor: minor, Patch: patch, Exact: true}
}

// The known bugs.
var (
	sparseReadBug = kernelBug{
		id:   "CVE-2026-23136",
		what: "libceph may reconnect endlessly after a fault",
		affected: []releases{
			{from(6, 6, 0), from(6, 6, 120)},
			{from(6, 7, 0), from(6, 12, 65)},
			{from(6, 13, 0), from(6, 18, 5)},
		},
		exposed: sparseReads,
		advice: []report.Advice{
			{Do: "Look for the lines of the loop: \"got 0 extents\", \"data len N != extent len 0\"",
				Command: "journalctl -k --grep 'libceph.*(extents|extent len)'"},
		},
	}
	monmapBug = kernelBug{
		id:   "CVE-2026-68153",
		what: "reading debugfs monmap may crash the kernel",
		affected: []releases{
			{from(2, 6, 34), from(5, 10, 264)},
			{from(5, 11, 0), from(5, 15, 215)},
			{from(5, 16, 0), from(6, 1, 182)},
			{from(6, 2, 0), from(6, 6, 147)},
			{from(6, 7, 0), from(6, 12, 100)},
			{from(6, 13, 0), from(6, 18, 41)},
			{from(6, 19, 0), from(7, 1, 5)},
		},
		exposed: monmapReads,
		advice: []report.Advice{
			{Do: "Make sure that no script, support bundle or agent running as root reads debugfs monmap",
				Command: "grep -rlE 'debug/ceph|monmap' /etc/cron* /etc/systemd/system /usr/local/bin"},
		},
	}
)

// A certainty is the likelihood that a kernel has a bug, according to its release.
type certainty string

const (
	unaffected certainty = ""
	maybe      certainty = "may be affected (patch level unknown) by"
	probably   certainty = "may be affected (distributions backport fixes) by"
)

// affects returns how certain it is that the bug is in a release. If the release's
// stable level is unknown, any level from the named one upwards is possible.
func (b kernelBug) affects(r host.Release) certainty {
	sure := unaffected
	for _, in := range b.affected {
		sameLast := r.Major == in.last.Major && r.Minor == in.last.Minor
		switch {
		case r.Compare(in.last) > 0 || r.Compare(in.first) < 0:
		case r.Exact || !sameLast:
			return probably
		default:
			sure = maybe
		}
	}
	return sure
}

func kernelKnownBug() rule.Rule {
	return rule.Rule{
		ID:        "kernel-known-bug",
		Title:     "the kernel may have a known bug in the Ceph client",
		Component: report.ComponentHost,
		Severity:  "info",
		Impact:    "operational: the bug has no effect until it is triggered",
		Needs:     []string{node.SourceHost, node.SourceKrbd},
		About: "The running kernel's release is in the published range of a libceph bug, and this node has kernel Ceph clients (krbd or CephFS). " +
			"The release alone shows only \"possibly affected\": distributions backport fixes without changing the number, and some do not print the patch level. " +
			"The finding states whether the bug can be triggered on this node. CVE-2026-23136 (6.6.0-6.6.120, 6.7-6.12.65, 6.13-6.18.5) requires sparse reads, which CephFS uses and plain krbd does not. " +
			"CVE-2026-68153 (up to 5.10.264, 5.15.215, 6.1.182, 6.6.147, 6.12.100, 6.18.41, 7.1.5) requires a reader of debugfs monmap; nodewatch never reads it. " +
			"The finding stays until the node boots another kernel; the rule can be switched off.",
		Do: []string{
			"Search the changelog of your kernel package for the CVE number: it may have the fix.",
			"If it does not, plan an update; until then avoid the bug's triggers (kernel CephFS mounts, readers of debugfs monmap).",
		},
		Check: func(in rule.Input) []rule.Result {
			r, err := in.Host.Value.Upstream()
			if in.Host.At.IsZero() || err != nil || len(in.Mapped.Value) == 0 && !in.Host.Value.CephFS {
				return nil
			}
			var found []rule.Result
			for _, b := range []kernelBug{sparseReadBug, monmapBug} {
				if sure := b.affects(r); sure != unaffected {
					found = append(found, b.finding(in, r, sure))
				}
			}
			return found
		},
	}
}

func (b kernelBug) finding(in rule.Input, r host.Release, sure certainty) rule.Result {
	ranges := make([]string, len(b.affected))
	for i, a := range b.affected {
		ranges[i] = fmt.Sprintf("%s-%s", a.first, a.last)
	}
	f := rule.Result{
		Subject:  b.id,
		Severity: report.Info,
		Setting:  true,
		Summary: rule.Summary(fmt.Sprintf("Kernel %s %s %s: %s", in.Host.Value.Release, sure, b.id, b.what),
			fmt.Sprintf("Kernel %s %s %s", in.Host.Value.Release, sure, b.id)),
		Evidence: []report.Evidence{in.Fact(node.SourceHost, "kernel",
			fmt.Sprintf("release %s, built from %s; published ranges: %s", in.Host.Value.Release, r, strings.Join(ranges, ", ")))},
		Advice: append([]report.Advice{
			{Do: "Check whether the kernel package has the fix", Command: rule.ShellCommand("zgrep -s %s /usr/share/doc/*-%s*/changelog*",
				b.id, in.Host.Value.Release)},
		}, b.advice...),
	}
	evidence, against := b.exposed(in)
	f.Evidence, f.Against = append(f.Evidence, evidence...), against
	return f
}

// sparseReads describes whether sparse reads are used on this node.
func sparseReads(in rule.Input) (evidence, against []report.Evidence) {
	lines := uint64(0)
	last := report.Evidence{}
	for _, s := range in.Kernel.Of(kmsg.SparseRead) {
		lines += s.Total + s.History
		if s.Last.After(last.At) {
			last = rule.FactAt(node.SourceKmsg, s.Peer, s.Text, s.Last)
		}
	}
	if lines > 0 {
		last.Fact = fmt.Sprintf("%s of the sparse-read loop were logged, the latest: %s", human.Count(lines, "line"), last.Fact)
		evidence = append(evidence, last)
	} else if in.Blind(node.SourceKmsg) == nil {
		against = append(against, in.Fact(node.SourceKmsg, "", "no line of the sparse-read loop in the log"))
	}
	if in.Host.Value.CephFS {
		return append(evidence, in.Fact(node.SourceHost, "", "the kernel has CephFS mounted, which uses sparse reads")), against
	}
	return evidence, append(against, in.Fact(node.SourceHost, "", "no kernel CephFS mount; plain krbd does not use sparse reads"))
}

// monmapReads describes what is known about readers of debugfs monmap.
func monmapReads(in rule.Input) (evidence, against []report.Evidence) {
	return nil, []report.Evidence{rule.FactAt(node.SourceKrbd, "",
		"nodewatch never reads monmap; it cannot tell whether something else on this node does", in.Now)}
}
