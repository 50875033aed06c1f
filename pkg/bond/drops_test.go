package bond

import (
	"context"
	"errors"
	"fmt"
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
			map[string]uint64{"rx_missed_errors": 7, "rx_no_dma_resources": 8, "alloc_rx_page_failed": 9, "rx_flow_control_xoff": 4,
				"tx_timeout_count": 5, "rx_queue_0_packets": 6, "rx_crc_errors": 3},
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
			"i40e of 5.10, whose rx_dropped is for lack of descriptors", "i40e",
			map[string]uint64{"port.rx_dropped": 1, "veb.rx_discards": 2, "port.rx_crc_errors": 3, "rx_dropped": 4, "port.link_xoff_tx": 5},
			map[string]uint64{"port.rx_dropped": 1, "veb.rx_discards": 2, "rx_dropped": 4, "port.link_xoff_tx": 5},
		},
		{
			"i40e of 6.1", "i40e",
			map[string]uint64{"port.rx_discards": 1, "rx_missed_errors": 2, "rx_alloc_fail": 3, "rx_pg_alloc_fail": 4, "rx_dropped": 5},
			map[string]uint64{"port.rx_discards": 1, "rx_missed_errors": 2, "rx_alloc_fail": 3, "rx_pg_alloc_fail": 4},
		},
		{
			"ice", "ice",
			map[string]uint64{"rx_dropped": 1, "rx_dropped.nic": 2, "link_xon_rx.nic": 3, "rx_crc_errors.nic": 4,
				"tx_dropped_link_down.nic": 5},
			map[string]uint64{"rx_dropped": 1, "rx_dropped.nic": 2, "link_xon_rx.nic": 3},
		},
		{
			"mlx5", "mlx5_core",
			map[string]uint64{"rx_out_of_buffer": 1, "rx_discards_phy": 2, "rx_prio3_discards": 3, "rx_prio10_buf_discard": 4,
				"rx_prio3_bytes": 5, "rx3_packets": 6, "rx_crc_errors_phy": 7, "rx_pause_ctrl_phy": 8, "rx_priox_discards": 9},
			map[string]uint64{"rx_out_of_buffer": 1, "rx_discards_phy": 2, "rx_prio3_discards": 3, "rx_prio10_buf_discard": 4,
				"rx_pause_ctrl_phy": 8},
		},
		{
			"bnxt, by ring", "bnxt_en",
			map[string]uint64{"[0]: rx_discards": 5, "[1]: rx_discards": 6, "[12]: rx_discards": 7, "[0]: rx_ucast_packets": 9,
				"rx_total_ring_discards": 18, "rx_discard_packets_cos7": 3, "[x]: rx_discards": 100},
			map[string]uint64{"rx_discards": 18, "rx_total_ring_discards": 18, "rx_discard_packets_cos7": 3},
		},
		{
			"virtio_net, by queue", "virtio_net",
			map[string]uint64{"rx_queue_0_drops": 1, "rx_queue_1_drops": 2, "rx_queue_1_xdp_drops": 4, "tx_queue_0_packets": 5},
			map[string]uint64{"rx_queue_drops": 3},
		},
		{
			"virtio_net since 6.10, which gives a sum", "virtio_net",
			map[string]uint64{"rx_drops": 100, "rx0_drops": 1, "rx1_drops": 2, "rx2_drops": 4, "rx3_drops": 8, "rx4_drops": 16,
				"rx0_xdp_drops": 9, "rx_xdp_drops": 9},
			map[string]uint64{"rx_drops": 100},
		},
		{
			"be2net, by ring", "be2net",
			map[string]uint64{"rx_drops_no_pbuf": 1, "rxpp_fifo_overflow_drop": 2, "rxq0: rx_pkts": 9, "rxq0: rx_drops_no_skbs": 3,
				"rxq0: rx_drops_no_frags": 4, "rxq1: rx_drops_no_frags": 5, "txq0: tx_stops": 9, "rx_drops_mtu": 9},
			map[string]uint64{"rx_drops_no_pbuf": 1, "rxpp_fifo_overflow_drop": 2, "rx_drops_no_skbs": 3, "rx_drops_no_frags": 9},
		},
		{
			"sfc", "sfc",
			map[string]uint64{"port_rx_nodesc_drops": 1, "rx_noskb_drops": 2, "port_rx_pause": 3, "rx-0.rx_packets": 9, "port_rx_bad": 9},
			map[string]uint64{"port_rx_nodesc_drops": 1, "rx_noskb_drops": 2, "port_rx_pause": 3},
		},
		{"enic", "enic", map[string]uint64{"rx_no_bufs": 1, "rx_drop": 9, "tx_drops": 9}, map[string]uint64{"rx_no_bufs": 1}},
		{
			"ena, by queue", "ena",
			map[string]uint64{"rx_drops": 1, "queue_0_rx_page_alloc_fail": 2, "queue_1_rx_page_alloc_fail": 3, "queue_1_rx_bad_req_id": 9,
				"queue_1_tx_doorbells": 9},
			map[string]uint64{"rx_drops": 1, "rx_page_alloc_fail": 5},
		},
		{"iavf", "iavf", map[string]uint64{"rx_discards": 1, "tx_discards": 9}, map[string]uint64{"rx_discards": 1}},
		{
			"vmxnet3, with blanks before", "vmxnet3",
			map[string]uint64{"  pkts rx OOB": 1, "  drv dropped rx total": 2, "     rx buf alloc fail": 3, "  drv dropped tx total": 9,
				"Rx Queue#": 9},
			map[string]uint64{"pkts rx OOB": 1, "drv dropped rx total": 2, "rx buf alloc fail": 3},
		},
		{
			"cxgb4, with blanks behind", "cxgb4",
			map[string]uint64{"rx_bg0_frames_dropped  ": 1, "rx_bg3_frames_trunc    ": 2, "rx_pause_frames        ": 3,
				"rx_frames_too_long     ": 9},
			map[string]uint64{"rx_bg0_frames_dropped": 1, "rx_bg3_frames_trunc": 2, "rx_pause_frames": 3},
		},
		{"nfp", "nfp", map[string]uint64{"dev_rx_discards": 1, "rx_replace_buf_alloc_fail": 2, "rvec_0_rx_pkts": 9},
			map[string]uint64{"dev_rx_discards": 1, "rx_replace_buf_alloc_fail": 2}},
		{
			"atlantic, by queue", "atlantic",
			map[string]uint64{"InDroppedDma": 1, "Queue[0] AllocFails": 2, "Queue[1] AllocFails": 3, "Queue[1] InErrors": 9},
			map[string]uint64{"InDroppedDma": 1, "AllocFails": 5},
		},
		{
			"atlantic since 5.11, by class and queue", "atlantic",
			map[string]uint64{"InDroppedDma": 1, "TC0 Queue[0] SkbAllocFails": 2, "TC1 Queue[4] SkbAllocFails": 3},
			map[string]uint64{"InDroppedDma": 1, "SkbAllocFails": 5},
		},
		{
			"igb, by queue", "igb",
			map[string]uint64{"rx_missed_errors": 1, "rx_queue_0_drops": 2, "rx_queue_1_drops": 3, "rx_queue_1_csum_err": 9},
			map[string]uint64{"rx_missed_errors": 1, "rx_queue_drops": 5},
		},
		{"igc", "igc", map[string]uint64{"rx_missed_errors": 1, "rx_no_buffer_count": 2},
			map[string]uint64{"rx_missed_errors": 1, "rx_no_buffer_count": 2}},
		{"bnx2", "bnx2", map[string]uint64{"rx_fw_discards": 1, "rx_ftq_discards": 2, "rx_filtered_packets": 9},
			map[string]uint64{"rx_fw_discards": 1, "rx_ftq_discards": 2}},
		{
			"bnx2x, by ring and whole", "bnx2x",
			map[string]uint64{"[0]: rx_discards": 1, "[1]: rx_discards": 2, "rx_discards": 3, "rx_brb_discard": 4,
				"rx_filtered_packets": 9},
			map[string]uint64{"rx_discards": 3, "rx_brb_discard": 4},
		},
		{"qede, by queue", "qede", map[string]uint64{"0: rx_alloc_errors": 1, "3: rx_alloc_errors": 2, "no_buff_discards": 3,
			"0: rx_hw_errors": 9}, map[string]uint64{"rx_alloc_errors": 3, "no_buff_discards": 3}},
		{"tg3", "tg3", map[string]uint64{"rx_discards": 1, "tx_xoff_sent": 2, "tx_discards": 9},
			map[string]uint64{"rx_discards": 1, "tx_xoff_sent": 2}},
		{"mlx4", "mlx4_core", map[string]uint64{"rx_dropped": 1, "rx0_dropped": 1, "rx_over_errors": 2, "tx_dropped": 9},
			map[string]uint64{"rx_dropped": 1, "rx_over_errors": 2}},
		{"r8169", "r8169", map[string]uint64{"rx_missed": 1, "rx_errors": 9}, map[string]uint64{"rx_missed": 1}},
		{
			"sfc_falcon, whose module is named with a hyphen", "sfc_falcon",
			map[string]uint64{"rx_nodesc_drop_cnt": 1, "rx_noskb_drops": 2, "rx_reset": 9},
			map[string]uint64{"rx_nodesc_drop_cnt": 1, "rx_noskb_drops": 2},
		},
		{
			"mlx5 with IPoIB", "mlx5_core[ib_ipoib]",
			map[string]uint64{"rx_out_of_buffer": 1, "rx_discards_phy": 2, "rx_packets": 9},
			map[string]uint64{"rx_out_of_buffer": 1, "rx_discards_phy": 2},
		},
		{
			"mlx5 with queues inside the device", "mlx5_core",
			map[string]uint64{"dev_internal_queue_oob": 1, "rx_steer_missed_packets": 9},
			map[string]uint64{"dev_internal_queue_oob": 1},
		},
		{
			"qede that cuts frames short", "qede",
			map[string]uint64{"brb_truncates": 1, "brb_discards": 2, "mac_filter_discards": 9},
			map[string]uint64{"brb_truncates": 1, "brb_discards": 2},
		},
		{
			"i40evf, the former name of iavf", "i40evf",
			map[string]uint64{"rx_discards": 1, "rx_unknown_protocol": 9},
			map[string]uint64{"rx_discards": 1},
		},
		{
			"ena with overruns and a counter of its own", "ena",
			map[string]uint64{"rx_drops": 1, "rx_overruns": 2, "queue_7_rx_skb_alloc_fail": 3, "queue_7_rx_empty_rx_ring": 9,
				"bw_in_allowance_exceeded": 9},
			map[string]uint64{"rx_drops": 1, "rx_overruns": 2, "rx_skb_alloc_fail": 3},
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

// TestUnlistedOf: for an unknown driver, the largest counters that may be drops on
// receive are reported, and those of rings are added up.
func TestUnlistedOf(t *testing.T) {
	all := map[string]uint64{"rx_no_rx_buf_drop": 3, "tx_dropped": 9, "rx_pause_discards": 9, "[0]: rx_overruns": 1, "[1]: rx_overruns": 2,
		"rx_bytes": 9, "mac_tx_discards": 9, "RxMissed": 0}
	want := map[string]uint64{"rx_no_rx_buf_drop": 3, "rx_overruns": 3, "RxMissed": 0}
	if diff := cmp.Diff(want, unlistedOf("hns3", all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rings := map[string]uint64{}
	for i := range 64 {
		for _, name := range []string{"rx_%d_dropped", "rx_q-%d_alloc_fail", "rxq%d_drop", "rx_no_buf[%d]", "rx_%d_to_127_byte"} {
			rings[fmt.Sprintf(name, i)] = 1
		}
	}
	if diff := cmp.Diff(map[string]uint64{"rx_dropped": 64, "rx_alloc_fail": 64, "rxq_drop": 64, "rx_no_buf": 64},
		unlistedOf("ionic", rings)); diff != "" {
		t.Errorf("by ring (-want +got):\n%s", diff)
	}
	if got := unlistedOf("ice", all); got != nil {
		t.Errorf("of a driver that is known: got %v", got)
	}
	many := map[string]uint64{}
	for i := range 100 {
		many[fmt.Sprintf("rx_drop_of_kind%d", i)] = uint64(i)
	}
	got := unlistedOf("hns3", many)
	if len(got) != maxUnlisted || got["rx_drop_of_kind99"] != 99 || got["rx_drop_of_kind84"] != 84 {
		t.Errorf("got %v, want the %d largest", got, maxUnlisted)
	}
}

// TestOverloadCitesItsSource: every driver names the source of its counters.
func TestOverloadCitesItsSource(t *testing.T) {
	for driver, c := range overload {
		if !strings.Contains(c.source, ".c") || len(c.names) == 0 {
			t.Errorf("%s: names %q of %q", driver, c.names, c.source)
		}
	}
}

// recordedStatistics reads the output of ethtool -S. Values of one name are added up.
func recordedStatistics(t *testing.T, name string) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	for line := range strings.Lines(string(readFile(t, "testdata/ethtool/"+name))) {
		i := strings.LastIndex(line, ": ")
		if i < 0 {
			continue
		}
		if v, err := strconv.ParseUint(strings.TrimSpace(line[i+2:]), 10, 64); err == nil {
			all[strings.TrimSpace(line[:i])] += v
		}
	}
	return all
}

// TestDropsOfRecordedNames: each driver's counters of frames dropped for lack of
// buffers are found by name, and those exported only by the kernel are added.
func TestDropsOfRecordedNames(t *testing.T) {
	for _, c := range []struct {
		file, driver string
		want         map[string]uint64
	}{
		{"virtio_net-5.10", "virtio_net", map[string]uint64{"rx_queue_drops": 0}},
		{"virtio_net-6.1", "virtio_net", map[string]uint64{"rx_queue_drops": 0}},
		{"virtio_net-7.2", "virtio_net", map[string]uint64{"rx_drops": 0}},
		{"be2net", "be2net", map[string]uint64{"rx_drops_no_pbuf": 0, "rx_input_fifo_overflow_drop": 0, "rxpp_fifo_overflow_drop": 0,
			"rx_drops_no_skbs": 0, "rx_drops_no_frags": 3885606854}},
		{"ena", "ena", map[string]uint64{"rx_drops": 77, "rx_page_alloc_fail": 0, "rx_skb_alloc_fail": 0}},
		{"i40e-2.3.2-k", "i40e", map[string]uint64{
			"rx_dropped": 179160, "port.rx_dropped": 0, "veb.rx_discards": 0, "rx_alloc_fail": 0, "rx_pg_alloc_fail": 0,
			"port.link_xoff_rx": 0, "port.link_xoff_tx": 0,
		}},
		{"iavf", "iavf", map[string]uint64{"rx_discards": 0}},
		{"vmxnet3", "vmxnet3", map[string]uint64{"pkts rx OOB": 0, "drv dropped rx total": 0, "rx buf alloc fail": 0}},
	} {
		all := recordedStatistics(t, c.file)
		overload[c.driver].addKernels(all, func() (uint64, error) { return 77, nil })
		if diff := cmp.Diff(c.want, dropsOf(c.driver, all)); diff != "" || unlistedOf(c.driver, all) != nil {
			t.Errorf("%s (-want +got):\n%s", c.file, diff)
		}
	}
	all := map[string]uint64{"rx_drops": 5}
	overload["ena"].addKernels(all, func() (uint64, error) { return 77, nil })
	if all["rx_drops"] != 5 {
		t.Errorf("ena that shows it: got %v", all)
	}
	overload["ena"].addKernels(map[string]uint64{}, func() (uint64, error) { return 0, os.ErrNotExist })
}

func TestPause(t *testing.T) {
	for driver, c := range overload {
		for _, name := range c.names {
			want := strings.Contains(name, "_xo") || strings.Contains(name, "pause") || strings.Contains(name, "flow_control")
			if got := Pause(name); got != want {
				t.Errorf("%s: Pause(%q) = %v, want %v", driver, name, got, want)
			}
		}
	}
}

// TestReadDropsOfThisMachine: links that no longer exist, have no driver, or have an
// impossible name cause no error; NICs of known drivers are listed.
func TestReadDropsOfThisMachine(t *testing.T) {
	names := []string{"lo", "gone0", "a-name-longer-than-the-kernel-allows", ""}
	var want []string
	links, err := filepath.Glob("/sys/class/net/*")
	must(t, err)
	for _, l := range links {
		name := filepath.Base(l)
		names = append(names, name)
		if driver := (sysfs{os.DirFS("/sys")}).target(name, "device/driver"); driver != "" {
			want = append(want, name)
		}
	}
	drops, err := ReadDrops(t.Context(), names)
	must(t, err)
	var got []string
	for _, d := range drops {
		if _, known := countersOf(d.Driver); known != (d.Counts != nil) || known && d.Unlisted != nil {
			t.Errorf("%s of driver %s: %v, and not listed %v", d.Name, d.Driver, d.Counts, d.Unlisted)
		}
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
