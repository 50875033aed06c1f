package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Facts that one source reports about many subjects in the same words become one line
// with their number, and the folded part is complete.
func TestEvidenceOfOneKindIsOneLine(t *testing.T) {
	var list []report.Evidence
	add := func(source, subject, fact string) {
		list = append(list, report.Evidence{Source: source, Subject: subject, Fact: fact, At: start})
	}
	for i := range 5 {
		add("kmsg", fmt.Sprintf("osd%d", i), fmt.Sprintf("osd%d at 192.0.2.%d:6801: %d CRC faults", i, i, 9+i))
	}
	more := func(source, fact string, n int) {
		list = append(list, report.Evidence{Source: source, Fact: fact, At: start, More: n})
	}
	more("kmsg", "the same with osd5, osd6, osd7 and 174 more; 182 OSDs in total", 177)
	add("krbd-io", "rbd0", "rbd0 (rbd/vm-1, vm1): 3 requests in flight")
	more("krbd-io", "and 1,077 more", 1077)
	add("nic", "eth0", "eth0 receives 9.8 Gbit/s")
	add("nic", "eth1", "eth1 carries no traffic")
	add("host", "", "and 3 more")
	got := evidenceOf(list, start)
	var lines []string
	facts := 0
	for _, f := range got {
		lines = append(lines, strings.TrimSpace(f.Many+" "+f.Subject))
		facts += 1 + len(f.Others)
	}
	if text := strings.Join(lines, "; "); text != "182 OSDs osd0; 1,078 krbd disks rbd0; eth0; eth1; " {
		t.Errorf("got %q", text)
	}
	if facts != len(list) {
		t.Errorf("%d facts of %d are left", facts, len(list))
	}
}
