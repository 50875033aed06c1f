package storage

import (
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdNoRxbounce() rule.Rule {
	return rule.Rule{
		ID:        "krbd-no-rxbounce",
		Title:     "krbd disks are mapped without rxbounce",
		Component: report.ComponentStorage,
		Severity:  "info, warning",
		Impact:    "operational: a permanent risk, not a fault",
		Needs:     []string{node.SourceKrbd},
		About: "krbd receives directly into the guest's pages and verifies the checksum there. If the guest changes such a page during this, the checksum fails and the session, shared by all disks, is lost. Windows does this: it reads into the same dummy page several times at once. " +
			"The map option rxbounce (Linux 5.17 and later, and 5.15's stable series) receives into the kernel's pages first. " +
			"A warning if a Windows guest uses a disk that is mapped without it in a crc mode (msgr1, or msgr2 with crc); otherwise info. ms_mode=secure and prefer-secure are exempt: they decrypt from the kernel's own pages. " +
			"On a kernel without the option, use librbd or ms_mode=secure. Options that cannot be read are \"unknown\", not \"none\".",
		Do: []string{
			"Stop a Windows guest or migrate it away, unmap its disk, and map it again with --options rxbounce; or move it to librbd.",
			"Set rxbounce as the default for new mappings (rbd_default_map_options, or the map options of your platform's storage).",
			"Never map with nocrc instead: it hides the fault and lets corrupted data through.",
		},
		Check: func(in rule.Input) []rule.Result {
			e := in.Exposure()
			if len(e.Unread) > 0 && len(e.Windows) == 0 && len(in.Raised) > 0 &&
				(len(e.Others) == 0 || in.Raised[0].Finding.Severity == report.Warning) {
				return []rule.Result{{Severity: report.Warning, Blind: true}} // a disk of a former Windows guest may still be one
			}
			if len(e.Windows)+len(e.Others) == 0 {
				return nil
			}
			return []rule.Result{withoutBounce(in, e)}
		},
	}
}

// windowsText describes which guests are exposed.
func windowsText(e facts.Exposure) string {
	return fmt.Sprintf("%s without rxbounce, of %s (%s): Windows may change a page while it is received, which breaks the checksum",
		human.Count(len(e.Windows), "krbd disk"), human.Count(len(e.WindowsOf.Names), "Windows guest"), human.Names(e.WindowsOf.Names, 3))
}

func withoutBounce(in rule.Input, e facts.Exposure) rule.Result {
	all := len(in.Mapped.Value)
	open := append(append([]string{}, e.Windows...), e.Others...)
	f := rule.Result{Setting: true, Severity: report.Info}
	f.Summary = fmt.Sprintf("%d of %s are mapped without rxbounce; none is known to be a Windows guest's", len(open),
		human.Count(all, "krbd disk"))
	if len(e.Windows) > 0 {
		f.Severity = report.Warning
		disks, guests := human.Count(len(e.Windows), "krbd disk"), human.Count(len(e.WindowsOf.Names), "Windows guest")
		breaks := fmt.Sprintf("mapped without rxbounce: their reads may reset the sessions of %s", human.Count(all, "krbd disk"))
		f.Summary = rule.Summary(fmt.Sprintf("%s of %s (%s) %s", disks, guests, human.Names(e.WindowsOf.Names, 3), breaks),
			fmt.Sprintf("%s of %s %s", disks, guests, breaks))
		for i, d := range e.Windows {
			if i == 5 {
				f.Evidence = append(f.Evidence, in.Fact(node.SourceKrbd, "",
					fmt.Sprintf("and %s more Windows guests", human.Count(len(e.Windows)-i, "krbd disk"))))
				break
			}
			f.Evidence = append(f.Evidence, in.Fact(node.SourceKrbd, d, in.DiskName(d)+
				": a Windows guest's, without rxbounce, in a crc mode"))
		}
	}
	if len(e.Others) > 0 {
		f.Evidence = append(f.Evidence, in.Fact(node.SourceKrbd, "",
			fmt.Sprintf("%s without rxbounce that no Windows guest uses: %s", human.Count(len(e.Others), "krbd disk"),
				human.Names(e.Others, 5))))
	}
	if text := systemsText(e); text != "" {
		f.Evidence = append(f.Evidence, in.Fact(node.SourceKrbd, "", text))
	}
	addUnknowns(in, e, &f)
	f.Advice = withoutBounceAdvice(in, e, open)
	return f
}

// systemsText describes which of the guests on disks without rxbounce are certainly
// Windows, which may be, and which are not.
func systemsText(e facts.Exposure) string {
	var parts []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+": "+human.Names(names, 5))
		}
	}
	add("surely Windows", e.WindowsOf.Names)
	add("possibly Windows", e.Possibly)
	add("no sign of Windows", e.NoSign)
	add("surely not Windows", e.Not)
	return strings.Join(parts, "; ")
}

// addUnknowns adds what is unknown, and what is safe.
func addUnknowns(in rule.Input, e facts.Exposure, f *rule.Result) {
	if len(e.Unread) > 0 {
		f.Against = append(f.Against, in.Fact(node.SourceKrbd, "", fmt.Sprintf("unknown for %s, whose options could not be read: %s",
			human.Count(len(e.Unread), "krbd disk"), human.Names(e.Unread, 5))))
	}
	if len(e.Unsure) > 0 {
		f.Against = append(f.Against, in.Fact(node.SourceKrbd, "", fmt.Sprintf("for %s the guest or its operating system is not known: %s",
			human.Count(len(e.Unsure), "krbd disk"), human.Names(e.Unsure, 5))))
	}
	if e.Safe > 0 {
		f.Against = append(f.Against, in.Fact(node.SourceKrbd, "", fmt.Sprintf("%s are mapped with rxbounce or in a secure mode",
			human.Count(e.Safe, "krbd disk"))))
	}
}

func withoutBounceAdvice(in rule.Input, e facts.Exposure, open []string) []report.Advice {
	if list := bounceAdvice(in, e); list != nil {
		return append(list, librbdAdvice(in, e.Windows)...)
	}
	if !in.CanBounce() {
		return []report.Advice{{Do: fmt.Sprintf("Kernel %s has no rxbounce: put no Windows guest on krbd here", in.Host.Value.Release)}}
	}
	m, _, _ := in.Device(open[0])
	return []report.Advice{{Do: "Use rxbounce for new mappings, in any case before a Windows guest is placed here",
		Command: rule.ShellCommand("rbd device map --options rxbounce %s", m.Spec())}}
}
