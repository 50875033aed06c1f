package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdIOError() Rule {
	limits := &struct {
		Fresh time.Duration `json:"fresh" doc:"how long after its latest line an I/O or watch error keeps its full severity" min:"1m" max:"24h"`
		Major float64       `json:"major" doc:"share of all krbd devices, at least two of them, that is a major outage" min:"0.05" max:"1"`
	}{15 * time.Minute, 0.5}
	return Rule{
		ID:        "krbd-io-error",
		Title:     "krbd gave I/O errors back",
		Component: Storage,
		Severity:  "info, warning, critical",
		Impact:    "partial_outage for the guests concerned, major_outage for half of the devices or more; degraded_performance once the errors have stopped, as guests may be left read-only; operational for a lost watch",
		Needs:     []string{node.SourceKmsg, node.SourceKrbd},
		Limits:    limits, // neither hold nor keep: an error is a fact, and its state lasts until it is undone
		About: "krbd returned an error for I/O (\"result -5\"), lost its watch on an image, was blocklisted by the cluster (-108), or a filesystem on an rbd device failed or turned read-only. Each is a state that stays when the cause has gone, so the finding stays until the device is unmapped or mapped anew, for a filesystem until it is mounted again, or until a reboot; it is also found in what the log held before nodewatch started. " +
			"One finding for each kind: blocklisted (all I/O of that client fails from now on), filesystem, io-error, watch. A blocklisted client's own errors and watches are not counted again. " +
			"I/O errors come from an osd_request_timeout (-110), a full pool with abort_on_full (-28), a deleted image (-2), or damage in the cluster (-5). 15 minutes after the last one the severity falls to warning, as the guest may still be read-only inside, which cannot be seen from here. " +
			"A lost watch (-107) means that this client was silent for 30 s; it registers again by itself.",
		Do: []string{
			"Blocklisted: find out who did it and why before anything else. Another host may own the image now; two writers destroy it.",
			"Filesystem: stop its user, unmount, check it, mount it again; in a guest, reboot the guest.",
			"I/O errors: reboot guests whose filesystems turned read-only.",
		},
		Check: func(in Input) []report.Finding {
			var found []report.Finding
			for _, k := range brokenDisks(in) {
				if len(k.disks) > 0 {
					found = append(found, k.finding(in, limits.Fresh, limits.Major))
				}
			}
			return found
		},
	}
}

func (k brokenKind) finding(in Input, fresh time.Duration, major float64) report.Finding {
	devices := make([]string, len(k.disks))
	since, last := in.Now, time.Time{}
	for i, d := range k.disks {
		devices[i] = d.device
		since, last = earlier(since, d.first), later(last, d.last)
	}
	f := report.Finding{Subject: k.subject, Since: since, Severity: report.Critical, Impact: report.PartialOutage}
	old := in.Now.Sub(last) >= fresh
	switch {
	case k.subject == watchLost:
		f.Severity, f.Impact = report.Warning, report.Operational
		if old {
			f.Severity = report.Info
		}
	case k.subject == ioFailed && old:
		f.Severity, f.Impact = report.Warning, report.DegradedPerformance
	case len(devices) > 1 && float64(len(devices)) >= major*float64(len(in.Mapped.Value)):
		f.Impact = report.MajorOutage
	}
	f.Summary = fmt.Sprintf("%s: %s%s, the latest at %s: %s", k.says, counted(len(devices), "krbd disk"), usersOf(in, devices).of(), clock(last), stalledNames(in, devices))
	for i, d := range k.disks {
		if i == 5 {
			f.Evidence = append(f.Evidence, in.fact(node.SourceKmsg, "", "and "+someOf(devices[i:], 5)))
			break
		}
		f.Evidence = append(f.Evidence, factAt(d.source, d.device, fmt.Sprintf("%s: %s", diskName(in, d.device), d.says()), d.last))
	}
	f.Advice = k.advice(in, k.disks[0])
	return f
}

// advice is what undoes each kind.
func (k brokenKind) advice(in Input, d broken) []report.Advice {
	m, _, _ := in.Device(d.device)
	again := report.Advice{
		Do:      fmt.Sprintf("Once its user is stopped, unmap /dev/%s and map it anew. Do not force it: what is in flight is lost then", d.device),
		Command: paste("rbd device unmap %s && rbd device map %s", "/dev/"+d.device, m.Spec()),
	}
	if m.Device == "" {
		again.Command = "rbd device list"
	}
	read := report.Advice{Do: "Read all that the kernel said of it", Command: paste("journalctl -k --grep %s", `\b`+d.device+`\b`)}
	switch k.subject {
	case blocklisted:
		return []report.Advice{
			{Do: "See who is blocklisted and until when, and find out why before you lift it: another host may own these images now, and two writers destroy them", Command: "ceph osd blocklist ls"},
			again, read,
		}
	case filesystem:
		return []report.Advice{
			read,
			{Do: "See what is mounted from it; stop its user, unmount it, check the filesystem, and mount it again. A guest's own filesystem is mended by a reboot of the guest", Command: paste("findmnt --source %s", "/dev/"+d.on)},
		}
	case watchLost:
		return []report.Advice{
			{Do: "See whether the image has its watcher again, and whether it is this host", Command: paste("rbd status %s", m.Spec())},
			read,
		}
	}
	return []report.Advice{
		read,
		{Do: "See whether the guests on it turned read-only, and reboot those that did"},
		{Do: "Ask the cluster for full pools and damaged placement groups", Command: "ceph --connect-timeout 5 health detail"},
	}
}
