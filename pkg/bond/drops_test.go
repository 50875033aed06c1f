package bond

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDropsOf(t *testing.T) {
	for _, tt := range []struct {
		name, driver string
		all, want    map[string]uint64
	}{
		{
			"ixgbe", "ixgbe",
			map[string]uint64{"rx_missed_errors": 7, "rx_no_dma_resources": 8, "alloc_rx_page_failed": 9, "rx_flow_control_xoff": 4, "tx_timeout_count": 5, "rx_queue_0_packets": 6, "rx_crc_errors": 3},
			map[string]uint64{"rx_missed_errors": 7, "rx_no_dma_resources": 8, "alloc_rx_page_failed": 9, "rx_flow_control_xoff": 4},
		},
		{
			"igb", "igb",
			map[string]uint64{"rx_no_buffer_count": 1, "rx_fifo_errors": 2, "rx_bytes": 3, "tx_flow_control_xon": 4},
			map[string]uint64{"rx_no_buffer_count": 1, "rx_fifo_errors": 2, "tx_flow_control_xon": 4},
		},
		{
			"e1000e", "e1000e",
			map[string]uint64{"rx_missed_errors": 1, "alloc_rx_buff_failed": 2, "rx_smbus": 3},
			map[string]uint64{"rx_missed_errors": 1, "alloc_rx_buff_failed": 2},
		},
		{
			"i40e of 5.10", "i40e",
			map[string]uint64{"port.rx_dropped": 1, "veb.rx_discards": 2, "port.rx_crc_errors": 3, "rx_dropped": 4, "port.link_xoff_tx": 5},
			map[string]uint64{"port.rx_dropped": 1, "veb.rx_discards": 2, "port.link_xoff_tx": 5},
		},
		{
			"i40e of 6.1", "i40e",
			map[string]uint64{"port.rx_discards": 1, "rx_missed_errors": 2, "rx_alloc_fail": 3, "rx_pg_alloc_fail": 4},
			map[string]uint64{"port.rx_discards": 1, "rx_missed_errors": 2, "rx_alloc_fail": 3, "rx_pg_alloc_fail": 4},
		},
		{
			"ice", "ice",
			map[string]uint64{"rx_dropped": 1, "rx_dropped.nic": 2, "link_xon_rx.nic": 3, "rx_crc_errors.nic": 4, "tx_dropped_link_down.nic": 5},
			map[string]uint64{"rx_dropped": 1, "rx_dropped.nic": 2, "link_xon_rx.nic": 3},
		},
		{
			"mlx5", "mlx5_core",
			map[string]uint64{"rx_out_of_buffer": 1, "rx_discards_phy": 2, "rx_prio3_discards": 3, "rx_prio10_buf_discard": 4, "rx_prio3_bytes": 5, "rx3_packets": 6, "rx_crc_errors_phy": 7, "rx_pause_ctrl_phy": 8, "rx_priox_discards": 9},
			map[string]uint64{"rx_out_of_buffer": 1, "rx_discards_phy": 2, "rx_prio3_discards": 3, "rx_prio10_buf_discard": 4, "rx_pause_ctrl_phy": 8},
		},
		{
			"bnxt, by ring", "bnxt_en",
			map[string]uint64{"[0]: rx_discards": 5, "[1]: rx_discards": 6, "[12]: rx_discards": 7, "[0]: rx_ucast_packets": 9, "rx_total_ring_discards": 18, "rx_discard_packets_cos7": 3, "[x]: rx_discards": 100},
			map[string]uint64{"rx_discards": 18, "rx_total_ring_discards": 18, "rx_discard_packets_cos7": 3},
		},
		{
			"virtio_net, by queue", "virtio_net",
			map[string]uint64{"rx_queue_0_drops": 1, "rx_queue_1_drops": 2, "rx_queue_1_xdp_drops": 4, "tx_queue_0_packets": 5},
			map[string]uint64{"rx_queue_drops": 3},
		},
		{
			"virtio_net since 6.10, which gives a sum", "virtio_net",
			map[string]uint64{"rx_drops": 100, "rx0_drops": 1, "rx1_drops": 2, "rx2_drops": 4, "rx3_drops": 8, "rx4_drops": 16, "rx0_xdp_drops": 9, "rx_xdp_drops": 9},
			map[string]uint64{"rx_drops": 100},
		},
		{"nothing of note", "ice", map[string]uint64{"rx_bytes": 1}, map[string]uint64{}},
		{"a driver that is not known", "e100", map[string]uint64{"rx_missed_errors": 1}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, dropsOf(tt.driver, tt.all)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDropsOfRecordedNames: each kernel's virtio_net has the one counter that
// matters, under its name there.
func TestDropsOfRecordedNames(t *testing.T) {
	for kernel, want := range map[string]map[string]uint64{
		"5.10": {"rx_queue_drops": 0}, "6.1": {"rx_queue_drops": 0}, "7.2": {"rx_drops": 0},
	} {
		all := map[string]uint64{}
		for line := range strings.Lines(string(readFile(t, "testdata/ethtool/virtio_net-"+kernel))) {
			name, n, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if v, err := strconv.ParseUint(n, 10, 64); err == nil {
				all[name] = v
			}
		}
		if diff := cmp.Diff(want, dropsOf("virtio_net", all)); diff != "" || len(all) < 10 {
			t.Errorf("%s: of %d names (-want +got):\n%s", kernel, len(all), diff)
		}
	}
}

func TestPause(t *testing.T) {
	for driver, names := range overload {
		for _, name := range names {
			want := strings.Contains(name, "xo") || strings.Contains(name, "pause")
			if got := Pause(name); got != want {
				t.Errorf("%s: Pause(%q) = %v, want %v", driver, name, got, want)
			}
		}
	}
}

// TestReadDropsOfThisMachine: links that are gone, that have no driver, or that
// no kernel could have, are no failure; NICs of known drivers are there.
func TestReadDropsOfThisMachine(t *testing.T) {
	names := []string{"lo", "gone0", "a-name-longer-than-the-kernel-allows", ""}
	var want []string
	links, err := filepath.Glob("/sys/class/net/*")
	must(t, err)
	for _, l := range links {
		name := filepath.Base(l)
		names = append(names, name)
		if _, known := overload[(sysfs{os.DirFS("/sys")}).target(name, "device/driver")]; known {
			want = append(want, name)
		}
	}
	drops, err := ReadDrops(t.Context(), names)
	must(t, err)
	var got []string
	for _, d := range drops {
		got = append(got, d.Name)
		if index := (sysfs{os.DirFS("/sys")}).text(d.Name, "ifindex"); strconv.Itoa(d.Index) != index {
			t.Errorf("%s has index %d, want %s", d.Name, d.Index, index)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("NICs with counters (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadDrops(ctx, names); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: got %v", err)
	}
}
