package config

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/strictyaml"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Incidents defines when incidents are opened and closed automatically.
type Incidents struct {
	After        time.Duration `yaml:"after" min:"0s" max:"1h"`           // of degraded performance or a partial outage; a major outage opens one at once
	CloseAfter   time.Duration `yaml:"close_after" min:"1m" max:"24h"`    // of recovery
	ReopenWithin time.Duration `yaml:"reopen_within" min:"0s" max:"168h"` // of being resolved
	Approval     bool          `yaml:"approval"`                          // they are drafts until an operator publishes them
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
