package storage

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdIOError() rule.Rule {
	limits := &struct {
		Fresh time.Duration `json:"fresh" doc:"how long an I/O or watch error keeps its full severity after its latest kernel line" min:"1m" max:"24h"`
		Major float64       `json:"major" doc:"no longer used: half of the running guests make a major outage" min:"0.05" max:"1"`
	}{15 * time.Minute, 0.5}
	return rule.Rule{
		ID:        "krbd-io-error",
		Title:     "krbd returned I/O errors",
		Component: report.ComponentStorage,
		Severity:  "info, warning, critical",
		Impact:    "by the guests whose disks returned errors, until these disks have worked normally for 10 min; a blocklisted client affects all its disks; operational for a lost watch",
		Needs:     []string{node.SourceKmsg, node.SourceKrbd},
		Explains:  []string{"krbd-stalled", "ceph-map"},
		Limits:    limits, // no For: an error needs no confirmation, and its state lasts until it is repaired
		About: "krbd returned an error for I/O (\"result -5\"), lost its watch on an image, was blocklisted by the cluster (-108), or a filesystem on an rbd device failed or turned read-only. Each of these states outlasts its cause, so the finding stays until the device is unmapped or mapped again, a filesystem is mounted again, or the host reboots. Log lines from before nodewatch started count too. " +
			"One finding for each kind: blocklisted (all I/O of that client fails from now on), filesystem, io-error, watch. A blocklisted client's failed I/O, filesystems and watches belong to that finding. " +
			"I/O errors come from an osd_request_timeout (-110), a full pool with abort_on_full (-28), a deleted image (-2), or damage in the cluster (-5). 15 minutes after the last one the severity falls to warning, as the guest may still be read-only inside, which cannot be seen from here. " +
			"A lost watch (-107) means that the OSD did not hear from this client for 30 s; the client registers again by itself.",
		Do: []string{
			"Blocklisted: first find out which user or host did it, and why. Another host may use the image now; two writers corrupt it.",
			"Filesystem: stop all processes that use it, unmount it, check it, mount it again; if it is in a guest, reboot the guest.",
			"I/O errors: reboot guests whose filesystems turned read-only.",
		},
		Check: func(in rule.Input) []rule.Result {
			var found []rule.Result
			for _, k := range damage(in) {
				if len(k.disks) > 0 {
					found = append(found, k.result(in, limits.Fresh))
				}
			}
			return found
		},
	}
}

// healed is how long a disk must complete requests normally after an I/O error until
// its guest no longer counts as affected.
const healed = 10 * time.Minute

func (k damageKind) result(in rule.Input, fresh time.Duration) rule.Result {
	devices := make([]string, len(k.disks))
	var failed []string
	since, last, cluster := in.Now, time.Time{}, true
	for i, d := range k.disks {
		devices[i] = d.device
		since, last = facts.Earlier(since, d.first), facts.Later(last, d.last)
		cluster = cluster && d.source == node.SourceCeph
		if in.Now.Sub(d.last) < healed || in.StalledFor(d.device) > 0 {
			failed = append(failed, d.device)
		}
	}
	r := rule.Result{Subject: k.subject, Since: since, Severity: report.Critical, Explains: []string{""},
		RestsOn: []string{node.SourceKmsg, node.SourceKrbd}}
	old := in.Now.Sub(last) >= fresh
	switch {
	case k.subject == watchLost:
		r.Severity = report.Warning
		if old {
			r.Severity = report.Info
		}
	case k.subject == blocklisted:
		r.Hits.Failed = k.ofSameClients(in)
		if cluster {
			r.RestsOn = []string{node.SourceCeph}
		}
	case k.subject == filesystem && mountsOnly(k.disks):
		r.Severity = report.Warning
	case old:
		r.Severity, r.Hits.Failed = report.Warning, failed
	default:
		r.Hits.Failed = failed
	}
	what := fmt.Sprintf("%s: %s%s, latest at %s: ", human.Capital(k.says), human.Count(len(devices), "krbd disk"),
		in.GuestsOn(devices).In(), human.Clock(last))
	r.Summary = rule.Summary(what+in.DiskNames(devices), what+human.Names(devices, 3))
	for i, d := range k.disks {
		if i == most {
			r.Evidence = append(r.Evidence, in.Fact(node.SourceKmsg, "", "and "+human.Names(devices[i:], 5)))
			break
		}
		r.Evidence = append(r.Evidence, rule.FactAt(d.source, d.device, fmt.Sprintf("%s: %s", in.DiskName(d.device), d.sentence()), d.last))
	}
	for i, d := range k.follows {
		if i < most {
			r.Evidence = append(r.Evidence, rule.FactAt(d.source, d.device,
				fmt.Sprintf("its filesystem failed as well: %s", d.sentence()), d.last))
		}
	}
	r.Advice = k.advice(in, k.disks[0])
	if k.subject == ioFailed && k.poolGone(in, fresh) {
		r.Explains = append(r.Explains, string(kmsg.PoolGone))
		r.Advice = append([]report.Advice{listPools}, r.Advice...)
	}
	return r
}

// poolGone reports whether the I/O failed because its pool does not exist (ENOENT).
func (k damageKind) poolGone(in rule.Input, fresh time.Duration) bool {
	const notFound = -2
	_, gone := in.LinesOf(fresh, kmsg.PoolGone)
	return gone && !slices.ContainsFunc(k.disks, func(d damaged) bool { return d.errno != notFound })
}

// ofSameClients returns all devices of the clients of the given devices: a
// blocklisted client affects all its disks.
func (k damageKind) ofSameClients(in rule.Input) []string {
	if len(k.disks) == 0 {
		return nil
	}
	clients, all := map[uint64]bool{}, make([]string, len(k.disks))
	for i, d := range k.disks {
		all[i] = d.device
		if m, _, found := in.Device(d.device); found {
			clients[m.ClientID] = true
		}
	}
	for i := range in.Mapped.Value {
		if m := &in.Mapped.Value[i]; clients[m.ClientID] && !slices.Contains(all, m.Device) {
			all = append(all, m.Device)
		}
	}
	return all
}

// mountsOnly reports whether only mounts of filesystems failed.
func mountsOnly(disks []damaged) bool {
	return !slices.ContainsFunc(disks, func(d damaged) bool { return d.detail != "mount" })
}

// advice returns how to repair each kind.
func (k damageKind) advice(in rule.Input, d damaged) []report.Advice {
	m, _, _ := in.Device(d.device)
	again := report.Advice{
		Do:      fmt.Sprintf("Once its user is stopped, unmap /dev/%s and map it again. Do not force it: in-flight writes would be lost", d.device),
		Command: rule.ShellCommand("rbd device unmap %s && rbd device map %s", "/dev/"+d.device, m.Spec()),
	}
	if m.Device == "" {
		again.Command = "rbd device list"
	}
	read := report.Advice{Do: "Read what the kernel logged about it",
		Command: rule.ShellCommand("journalctl -k --grep %s", `\b`+d.device+`\b`)}
	switch k.subject {
	case blocklisted:
		return []report.Advice{
			{Do: "List who is blocklisted and until when, and find out why before you remove the entry: another host may use these images now, and two writers corrupt them", Command: "ceph --connect-timeout 10 osd blocklist ls"},
			again, read,
		}
	case filesystem:
		return []report.Advice{
			read,
			{Do: "Find where it is mounted; stop what uses it, unmount it, check the filesystem, and mount it again. If the filesystem is in a guest, reboot the guest", Command: rule.ShellCommand("findmnt --source %s", "/dev/"+d.on)},
		}
	case watchLost:
		return []report.Advice{
			{Do: "Check that the image has a watcher again, and that it is this host",
				Command: rule.ShellCommand("timeout 10 rbd status %s", m.Spec())},
			read,
		}
	}
	return []report.Advice{
		read,
		{Do: "Check whether filesystems in its guests turned read-only, and reboot those guests"},
		{Do: "Check the cluster for full pools and damaged placement groups", Command: "ceph --connect-timeout 10 health detail"},
	}
}
