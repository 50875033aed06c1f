package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
)

// A reporterView shows a reporter.
type reporterView struct {
	Name, State, Age, Text string
	Tone                   tone
}

// reportersOf returns the reporters with their delivery status.
func reportersOf(v judge.View) []reporterView {
	var list []reporterView
	for _, d := range v.Deliveries.Value {
		list = append(list, reporterOf(d, v.Now))
	}
	return list
}

func reporterOf(d node.Delivery, now time.Time) reporterView {
	v := reporterView{Name: d.Name + " (" + d.Backend + ")", State: d.State, Age: "never delivered", Tone: toneOfDelivery(d.State)}
	if !d.Last.IsZero() {
		v.Age = "delivered " + span(now.Sub(d.Last)) + " ago"
	}
	var text []string
	if d.Error != "" {
		text = append(text, "since "+from(d.Since, now)+": "+d.Error)
	}
	if d.Waiting > 0 {
		text = append(text, fmt.Sprintf("%s, %d of them not on disk", plural(d.Waiting, "transition waits", "transitions wait"), d.Unsaved))
	}
	if d.Dropped > 0 {
		text = append(text, plural(int(min(d.Dropped, 1<<31)), "transition is lost", "transitions are lost"))
	}
	if d.PersistErr != "" {
		text = append(text, "cannot be saved for a restart: "+d.PersistErr)
	}
	v.Text = strings.Join(text, "; ")
	return v
}

func toneOfDelivery(state string) tone {
	switch state {
	case node.DeliveryOK:
		return good
	case node.DeliveryStarting:
		return info
	}
	return warn
}
