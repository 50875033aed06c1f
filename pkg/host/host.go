// Package host reads the state of the machine itself: kernel release, boot id, load,
// pressure, waiting tasks, and drops of the network stack. It does not judge it.
//
// It parses these files itself: prometheus/procfs requires a directory instead of an
// fs.FS, and does not export its parsers of these files.
package host

import "time"

// A State is the host's state at one instant. Pointers are nil if the kernel does not
// report the value.
type State struct {
	Release string     `json:"release"` // /proc/sys/kernel/osrelease
	BootID  string     `json:"boot_id"` // /proc/sys/kernel/random/boot_id
	Boot    time.Time  `json:"boot"`    // btime of /proc/stat
	CPUs    int        `json:"cpus"`    // online
	Load    [3]float64 `json:"load"`    // /proc/loadavg: 1, 5, 15 minutes
	IO      *Pressure  `json:"io"`      // /proc/pressure/io
	CPU     *Pressure  `json:"cpu"`     // /proc/pressure/cpu
	Memory  *Pressure  `json:"memory"`  // /proc/pressure/memory
	Waiting *Waiting   `json:"waiting"` // nil if not scanned, because pressure and load are low; with many threads, the result of up to five reads ago
	Hung    *uint64    `json:"hung"`    // /proc/sys/kernel/hung_task_detect_count, if the kernel has it
	Softnet Softnet    `json:"softnet"`
	CephFS  bool       `json:"cephfs"` // a kernel CephFS mount is in /proc/self/mounts

	Version   string `json:"version,omitempty"`   // /proc/version, at most 4 KiB
	Signature string `json:"signature,omitempty"` // /proc/version_signature, which only Ubuntu has

	Errors []string `json:"errors,omitempty"` // parts that the kernel has but that could not be read, for display
}

// A Pressure is one file of /proc/pressure, in percent and, for the totals,
// since boot.
type Pressure struct {
	Some10    float64       `json:"some_avg10"`
	Some60    float64       `json:"some_avg60"`
	Full10    float64       `json:"full_avg10"`
	Full60    float64       `json:"full_avg60"`
	SomeTotal time.Duration `json:"some_total"`
	FullTotal time.Duration `json:"full_total"`
}

// Waiting has the tasks in uninterruptible sleep (state D), threads included.
type Waiting struct {
	Total  int            `json:"total"`
	ByComm map[string]int `json:"by_comm"`          // the 20 most frequent names at most; the rest under "other"
	Partly bool           `json:"partly,omitempty"` // the scan stopped at its limit
}

// A Softnet is the sum of /proc/net/softnet_stat over all CPUs, since boot.
type Softnet struct {
	Dropped  uint64 `json:"dropped"`
	Squeezed uint64 `json:"squeezed"`
}
