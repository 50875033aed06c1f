package page

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// TestPartlyUnknownIsSaid: what a readable source does not provide is on the page, on
// the terminal and in a plugin's output, with the remedy.
func TestPartlyUnknownIsSaid(t *testing.T) {
	v := riskView()
	v.Report.Sources = append(v.Report.Sources, report.SourceState{
		Name: "qemu", State: "ok", Last: v.Report.At, Since: v.Report.Started, Partly: "disks plugged in after the start are not seen",
		Remedy: "give it CAP_X",
	})
	for i := range v.Report.Components {
		if c := &v.Report.Components[i]; c.Name == "guests" {
			c.Partly, c.Remedy = "disks plugged in after the start are not seen", "give it CAP_X"
		}
	}
	text := Text(v, Style{})
	for where, of := range map[string]struct{ text, want string }{
		"page, component": {html(t, v, 0),
			"<p>Partly unknown: disks plugged in after the start are not seen</p><p>To see everything: give it CAP_X</p></li>\n<li><div class=\"pair\"><b>cluster"},
		"terminal, component": {text, "operational          since 02:13:00 (1 min)\n    partly unknown disks plugged in after the start are not seen\n    To see everything: give it CAP_X\n"},
		"terminal, source":    {text, "  qemu       partly unknown: disks plugged in after the start are not seen\n             To see everything: give it CAP_X\n"},
		"plugin":              {plugin(v.Report), "partly unknown: qemu: disks plugged in after the start are not seen\n"},
	} {
		if !strings.Contains(of.text, of.want) {
			t.Errorf("%s: there is no %q in\n%s", where, of.want, of.text)
		}
	}
	if n := strings.Count(html(t, v, 0), "Partly unknown: "); n != 2 {
		t.Errorf("it is %d times on the page, want 2: of the component and of the source", n)
	}
}
