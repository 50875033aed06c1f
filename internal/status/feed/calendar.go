package feed

import (
	"strings"

	ics "github.com/arran4/golang-ical"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/page"
)

// calendar returns all maintenance, for calendar subscriptions.
func calendar(s page.Snapshot) []byte {
	c := ics.NewCalendarFor("nodewatch-status")
	c.SetMethod(ics.MethodPublish)
	c.SetXWRCalName(s.Title)
	c.SetXWRTimezone(s.Zone.String())
	c.SetRefreshInterval("PT15M", ics.WithValue(string(ics.ValueDataTypeDuration)))
	c.SetXPublishedTTL("PT15M")
	for _, m := range s.Maintenances {
		e := c.AddEvent(m.Ref + "@" + host(s))
		e.SetSequence(int(m.Revision))
		e.SetDtStampTime(m.Updated)
		e.SetCreatedTime(m.Created)
		e.SetModifiedAt(m.Updated)
		e.SetStartAt(m.Starts)
		end := m.Ends
		if m.Status == incident.Completed && m.Finished.After(m.Starts) {
			end = m.Finished
		}
		e.SetEndAt(end)
		e.SetSummary(m.Title)
		var said []string
		for _, n := range m.Components {
			said = append(said, n.Name)
		}
		e.SetDescription(strings.TrimSpace(strings.Join(said, ", ") + "\n" + m.Latest().Body))
		e.SetURL(s.URL + "maintenance/" + m.Ref + "/")
		e.SetStatus(ics.ObjectStatusConfirmed)
		if m.Status == incident.Cancelled {
			e.SetStatus(ics.ObjectStatusCancelled)
		}
		e.SetTimeTransparency(ics.TransparencyTransparent)
	}
	return []byte(c.Serialize(ics.WithNewLineWindows))
}
