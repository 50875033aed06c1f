package config

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/strictyaml"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Incidents defines when incidents are opened and closed automatically.
type Incidents struct {
	After        time.Duration `yaml:"after" min:"0s" max:"1h"`           // duration of degraded performance or a partial outage that opens an incident; a major outage opens one at once
	CloseAfter   time.Duration `yaml:"close_after" min:"1m" max:"24h"`    // time after the recovery at which the incident is resolved
	ReopenWithin time.Duration `yaml:"reopen_within" min:"0s" max:"168h"` // time after the resolution in which the incident is reopened
	Approval     bool          `yaml:"approval"`                          // incidents are drafts until an operator publishes them
}

// unknownAs checks the state that represents unknown for readers that do not support
// it.
func (p *Page) unknownAs(d *strictyaml.Document) {
	switch report.Impact(p.UnknownAs) {
	case report.UnderMaintenance, report.DegradedPerformance, report.PartialOutage, report.MajorOutage:
	default:
		d.Wrong("page.unknown_as", "%q must be under_maintenance, degraded_performance, partial_outage or major_outage", p.UnknownAs)
	}
}
