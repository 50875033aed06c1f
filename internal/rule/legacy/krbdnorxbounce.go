package legacy

import (
	"fmt"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdNoRxbounce() Rule {
	return Rule{
		ID:        "krbd-no-rxbounce",
		Title:     "krbd disks are mapped without rxbounce",
		Component: Storage,
		Severity:  "info, warning",
		Impact:    "operational: a risk that is there all the time, not a fault",
		Needs:     []string{node.SourceKrbd},
		// neither hold nor keep: the options of a mapping do not change
		About: "krbd receives straight into the guest's pages and checksums them there. A guest that changes such a page meanwhile breaks the checksum, and with it the session of all disks. Windows does so: it reads into one dummy page several times at once. " +
			"The map option rxbounce (Linux 5.17 and later, and 5.15's stable series) receives into pages of the kernel's own first. " +
			"A warning when a Windows guest sits on a disk that is mapped without it in a crc mode (msgr1, or msgr2 with crc); otherwise for information. ms_mode=secure and prefer-secure are exempt: they decrypt from pages of their own. " +
			"A kernel without the option leaves librbd or ms_mode=secure. Options that cannot be read are \"cannot tell\", not \"none\".",
		Do: []string{
			"Stop a Windows guest or migrate it away, unmap its disk, and map it again with --options rxbounce; or move it to librbd.",
			"Set rxbounce as the default for new mappings (rbd_default_map_options, or the map options of your platform's storage).",
			"Never map with nocrc instead: it hides the fault and lets wrong data through.",
		},
		Check: func(in Input) []report.Finding {
			e := exposureOfAll(in)
			was, raised := in.Was("")
			switch {
			case len(e.windows) == 0 && raised && was.Severity == report.Warning && len(e.unread) > 0:
				was.State = report.Blind // what was a Windows guest's disk may still be one
				return []report.Finding{was}
			case len(e.windows)+len(e.others) > 0:
				return []report.Finding{e.finding(in)}
			case raised && len(e.unread) > 0:
				was.State = report.Blind
				return []report.Finding{was}
			}
			return nil
		},
	}
}

func (e exposure) finding(in Input) report.Finding {
	all := len(in.Mapped.Value)
	open := append(append([]string{}, e.windows...), e.others...)
	f := report.Finding{Severity: report.Info, Impact: report.Operational, Evidence: []report.Evidence{}}
	f.Summary = fmt.Sprintf("%d of %s are mapped without rxbounce; none is known to be a Windows guest's", len(open), counted(all, "krbd disk"))
	if len(e.windows) > 0 {
		f.Severity = report.Warning
		f.Summary = fmt.Sprintf("%s of %s (%s) are mapped without rxbounce: Windows may break the checksums of its reads, and with them the sessions of %s",
			counted(len(e.windows), "krbd disk"), counted(len(e.windowsOf.names), "Windows guest"), someOf(e.windowsOf.names, 3), counted(all, "krbd disk"))
		for i, d := range e.windows {
			if i == 5 {
				f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, "", fmt.Sprintf("and %s more of Windows guests", counted(len(e.windows)-i, "krbd disk"))))
				break
			}
			f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, d, diskName(in, d)+": a Windows guest's, without rxbounce, in a crc mode"))
		}
	}
	if len(e.others) > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, "", fmt.Sprintf("%s of other guests or of none without rxbounce: %s", counted(len(e.others), "krbd disk"), someOf(e.others, 5))))
	}
	e.untold(in, &f)
	f.Advice = e.advice(in, open)
	return f
}

// untold adds what cannot be told, and what is safe.
func (e exposure) untold(in Input, f *report.Finding) {
	if len(e.unread) > 0 {
		f.Against = append(f.Against, in.fact(node.SourceKrbd, "", fmt.Sprintf("cannot tell for %s, whose options could not be read: %s", counted(len(e.unread), "krbd disk"), someOf(e.unread, 5))))
	}
	if len(e.unsure) > 0 {
		f.Against = append(f.Against, in.fact(node.SourceKrbd, "", fmt.Sprintf("for %s the guest or its operating system is not known: %s", counted(len(e.unsure), "krbd disk"), someOf(e.unsure, 5))))
	}
	if e.safe > 0 {
		f.Against = append(f.Against, in.fact(node.SourceKrbd, "", fmt.Sprintf("%s are mapped with rxbounce or in a secure mode", counted(e.safe, "krbd disk"))))
	}
}

func (e exposure) advice(in Input, open []string) []report.Advice {
	if list := bounceAdvice(in, e); list != nil {
		return append(list, librbdAdvice(in, e.windows)...)
	}
	if !canBounce(in) {
		return []report.Advice{{Do: fmt.Sprintf("Kernel %s has no rxbounce: put no Windows guest on krbd here", in.Host.Value.Release)}}
	}
	m, _, _ := in.Device(open[0])
	return []report.Advice{{Do: "Map with rxbounce from the next time on, and in any case before a Windows guest comes", Command: paste("rbd device map --options rxbounce %s", m.Spec())}}
}
