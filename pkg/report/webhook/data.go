package webhook

import (
	"encoding/json"
	"time"
)

// data is the payload for programs: the event or, in mode state, the whole Report.
func (m message) data() any {
	if m.state {
		return m.report
	}
	return m.event
}

func jsonBody(_ *Reporter, m message) ([]byte, error) { return encode(m.data()) }

// typePrefix is the prefix of the types of nodewatch's CloudEvents.
const typePrefix = "io.github.nodewatch."

// cloudBody is a CloudEvent 1.0 in structured mode. Source and id together are
// unique, and do not change if it is resent.
func cloudBody(_ *Reporter, m message) ([]byte, error) {
	data, err := encode(m.data())
	if err != nil {
		return nil, err
	}
	e := struct {
		Version string          `json:"specversion"`
		ID      string          `json:"id"`
		Source  string          `json:"source"`
		Type    string          `json:"type"`
		Subject string          `json:"subject,omitempty"`
		Time    time.Time       `json:"time"`
		Content string          `json:"datacontenttype"`
		Data    json.RawMessage `json:"data"`
	}{"1.0", m.event.ID, "/" + m.report.Key(), typePrefix + m.kind(), "", m.report.At.UTC(), jsonType, data}
	if len(m.event.Changes) > 0 {
		e.Subject = string(m.event.Changes[0].Component)
	}
	return encode(e)
}

// kind returns the last part of the CloudEvent's type.
func (m message) kind() string {
	switch {
	case m.report.Test:
		return "test"
	case m.state:
		return "report"
	}
	return "findings." + string(m.event.Changes[0].Kind)
}
