//go:build lab

package lab

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// begin is when the lab began.
var begin = time.Now()

// tally counts the scenarios.
type tally struct{ passed, failed, environment, leftOut int }

var count tally

func (c tally) String() string {
	s := fmt.Sprintf("%d passed, %d failed", c.passed, c.failed)
	if c.environment > 0 {
		s += fmt.Sprintf(", %d not for nodewatch's fault but the environment's", c.environment)
	}
	if c.leftOut > 0 {
		s += fmt.Sprintf(", %d left out for lack of time", c.leftOut)
	}
	return s
}

// core matches the scenarios that run first: the main purpose of the lab.
const core = "^Test(StandingRisk|CRCStorm|Incident|Healthy)$"

// inOrder runs the core scenarios, then the others. A pattern set by the user is
// kept.
func inOrder(m *testing.M) int {
	if chosen := flag.Lookup("test.run").Value.String(); chosen != "" {
		if chosen == "core" {
			set("test.run", core)
		}
		return m.Run()
	}
	set("test.run", core)
	code := m.Run()
	set("test.run", "")
	set("test.skip", core)
	return max(code, m.Run())
}

func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err) // the flags of package testing accept any text
	}
}

// budget returns the time limit for all scenarios: LAB_BUDGET, or 20 minutes.
func budget() time.Duration {
	if b, err := time.ParseDuration(os.Getenv("LAB_BUDGET")); err == nil {
		return b
	}
	return 20 * time.Minute
}

// usual contains the usual duration of scenarios in seconds, on an idle machine with
// two cores. A scenario that is not listed counts as long.
var usual = map[string]int{
	"CRCStorm": 65, "StormOnTheStatusPage": 45, "Healthy": 62, "Incident": 62, "StandingRisk": 75,
	"WriteLoop": 20, "OSDFrozen": 27, "OSDKilled": 45, "OSDsGone": 56, "SlaveAndMonitorLost": 54,
	"HashPolicies": 3, "Blocklisted": 25, "WatchLost": 28, "PartnerGone": 54, "LinksChange": 12,
	"LogOverrun": 24, "Guests": 80, "PolicyFixedInTheStorm": 78, "RollingRestart": 26, "Migration": 22, "ActiveBackup": 18,
	"Layer2WithoutStorage": 24, "SaturationLayer2": 240, "SaturationLayer34": 87,
}

const long = 70

// pace relates the time taken by the scenarios so far to their usual time.
var pace struct{ took, usual float64 }

func spent(name string, took time.Duration) {
	if u := usual[name]; u != 0 {
		pace.took, pace.usual = pace.took+took.Seconds(), pace.usual+float64(u)
	}
}

// noTime returns why the scenario is left out; empty: there is time for it.
func noTime(name string, used time.Duration) string {
	if strings.Contains(core, name) {
		return ""
	}
	takes := float64(long)
	if u := usual[name]; u != 0 {
		takes = float64(u)
	}
	if pace.took > pace.usual {
		takes *= pace.took / pace.usual
	}
	if left := budget() - used; left.Seconds() < takes {
		return fmt.Sprintf("it takes about %.0f s, and %s are left of %s (LAB_BUDGET)", takes, max(0, left.Round(time.Second)), budget())
	}
	return ""
}
