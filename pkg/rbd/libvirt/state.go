package libvirt

import "strconv"

// states are libvirt's words for virDomainState, in its order
// (include/libvirt/libvirt-domain.h).
var states = []string{"", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended"}

// stateReasons are libvirt's words for the reason of a domain's state: the names of
// virDomainPausedReason and similar enumerations, in their order.
var stateReasons = map[string][]string{
	"running": {"unknown", "booted", "migrated", "restored", "from_snapshot", "unpaused", "migration_canceled",
		"save_canceled", "wakeup", "crashed", "postcopy", "postcopy_failed"},
	"blocked": {"unknown"},
	"paused": {"unknown", "user", "migration", "save", "dump", "ioerror", "watchdog", "from_snapshot", "shutting_down",
		"snapshot", "crashed", "starting_up", "postcopy", "postcopy_failed", "api_error"},
	"shutdown":    {"unknown", "user"},
	"shutoff":     {"unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from_snapshot", "daemon"},
	"crashed":     {"unknown", "panicked"},
	"pmsuspended": {"unknown"},
}

// stateOf returns the words for a state and its reason. A number without a word is
// returned as a number.
func stateOf(state, reason int64) (string, string) {
	word := wordOf(states, state)
	if word == "" {
		return "", ""
	}
	return word, wordOf(stateReasons[word], reason)
}

func wordOf(words []string, n int64) string {
	if n >= 0 && n < int64(len(words)) {
		return words[n]
	}
	return strconv.FormatInt(n, 10)
}
