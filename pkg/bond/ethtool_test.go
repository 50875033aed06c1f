package bond

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRepeatedNamesAreAddedUp: the drops of all queues count for a driver that repeats
// a name for each queue, as vmxnet3 does.
func TestRepeatedNamesAreAddedUp(t *testing.T) {
	list := []struct {
		name  string
		value uint64
	}{
		{"Rx Queue#", 0}, {"  pkts rx OOB", 3}, {"     rx buf alloc fail", 1}, {"Rx Queue#", 1}, {"  pkts rx OOB", 4},
		{"     rx buf alloc fail", 0},
		{"", 9}, {strings.Repeat("n", nameLength), 5},
	}
	var names, values []byte
	for _, s := range list {
		names = append(names, append([]byte(s.name), make([]byte, nameLength-len(s.name))...)...)
		values = binary.NativeEndian.AppendUint64(values, s.value)
	}
	all := paired(names, values, len(list))
	if want := map[string]uint64{"pkts rx OOB": 7, "rx buf alloc fail": 1}; !cmp.Equal(want, dropsOf("vmxnet3", all)) {
		t.Errorf("got %v, want %v", dropsOf("vmxnet3", all), want)
	}
	if len(all) != 4 || all[strings.Repeat("n", nameLength)] != 5 {
		t.Errorf("got %v", all)
	}
}

// TestStatisticsOfThisMachine: the names and values are the kernel's. Those that sysfs
// has under the same name, and that do not change, are equal.
func TestStatisticsOfThisMachine(t *testing.T) {
	e, err := newEthtool()
	must(t, err)
	defer e.close()
	if _, err := e.statistics("gone0"); err == nil {
		t.Error("a link that is gone has statistics")
	}
	links, err := filepath.Glob("/sys/class/net/*")
	must(t, err)
	read := 0
	for _, link := range links {
		name := filepath.Base(link)
		all, err := e.statistics(name)
		if err != nil || len(all) == 0 {
			continue
		}
		read++
		for key := range all {
			if strings.TrimSpace(key) == "" || strings.ContainsRune(key, 0) {
				t.Errorf("%s: a statistic is called %q", name, key)
			}
		}
		if raw, err := os.ReadFile(link + "/statistics/rx_dropped"); err == nil {
			want, _ := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
			if got, err := kernelDropped(name); err != nil || got < want {
				t.Errorf("%s: the kernel's rx_dropped is %d, %v; was %d", name, got, err, want)
			}
		}
	}
	if read == 0 {
		t.Skip("no link of this machine has statistics for ethtool -S")
	}
}

// TestTheKernelsDropsStandForTheDrivers: where ena does not export rx_drops, the
// kernel's rx_dropped counts instead.
func TestTheKernelsDropsReplaceTheDrivers(t *testing.T) {
	for driver, c := range overload {
		if c.kernels != "" && dropsOf(driver, map[string]uint64{c.kernels: 5})[c.kernels] != 5 {
			t.Errorf("%s: %s is not one of its drop counters", driver, c.kernels)
		}
	}
	if overload["ena"].kernels != "rx_drops" || overload["enic"].kernels != "" {
		t.Error("of ena, and not of enic, the kernel's rx_dropped is what the device dropped for lack of buffers")
	}
}
