package bond

import (
	"maps"
	"slices"
	"strings"
)

// overload lists, by driver, the statistics of ethtool -S that count frames
// dropped for lack of buffers, and pause frames: received, they are the switch
// asking this host to slow down; sent, this host asking the switch. A name ends
// in "*" where the driver counts by priority or class.
//
// Sources: the drivers' string tables in drivers/net/ethernet/*/*/*ethtool*.c
// and en_stats.c of mlx5. i40e calls port.rx_dropped port.rx_discards since 6.1.
var overload = map[string][]string{
	"ixgbe":  append(slices.Clone(intelNames), "rx_no_dma_resources", "alloc_rx_page_failed", "alloc_rx_buff_failed"),
	"igb":    intelNames,
	"e1000e": append(slices.Clone(intelNames), "alloc_rx_buff_failed"),
	"i40e": {
		"port.rx_dropped", "port.rx_discards", "rx_missed_errors", "veb.rx_discards", "rx_alloc_fail", "rx_pg_alloc_fail",
		"port.link_xon_rx", "port.link_xoff_rx", "port.link_xon_tx", "port.link_xoff_tx",
	},
	"ice": {
		"rx_dropped", "rx_dropped.nic", "rx_alloc_fail", "rx_pg_alloc_fail",
		"link_xon_rx.nic", "link_xoff_rx.nic", "link_xon_tx.nic", "link_xoff_tx.nic",
	},
	"mlx5_core": {
		"rx_out_of_buffer", "rx_discards_phy", "tx_discards_phy", "rx_buff_alloc_err", "tx_queue_dropped",
		"outbound_pci_buffer_overflow", "rx_pause_ctrl_phy", "tx_pause_ctrl_phy", "tx_pause_storm_warning_events",
		"rx_prio*_discards", "rx_prio*_buf_discard", "rx_prio*_cong_discard",
	},
	"bnxt_en": {
		"rx_discards", "rx_total_ring_discards", "rx_total_oom_discards", "rx_stat_discard", "rx_discard_packets_cos*",
		"rx_pause_frames", "tx_pause_frames",
	},
	"virtio_net": {"rx_drops", "rx_queue_drops"},
}

// intelNames are common to Intel's drivers for PCI NICs up to ixgbe.
var intelNames = []string{
	"rx_no_buffer_count", "rx_missed_errors", "rx_fifo_errors",
	"rx_flow_control_xon", "rx_flow_control_xoff", "tx_flow_control_xon", "tx_flow_control_xoff",
}

// Pause says whether a name of Drops.Counts counts pause frames and not drops:
// ethtool's names of them speak of pause, of flow control, or of XON and XOFF.
func Pause(name string) bool {
	return slices.ContainsFunc([]string{"pause", "flow_control", "link_xo"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}

// dropsOf picks the overload statistics of a driver from all of them. Those of
// single rings are added up under the name that is left without the ring. It is
// nil for a driver that is not known, and never nil for one that is.
func dropsOf(driver string, all map[string]uint64) map[string]uint64 {
	names, known := overload[driver]
	if !known {
		return nil
	}
	counts, whole := map[string]uint64{}, map[string]uint64{}
	for name, n := range all {
		sum, ofRing := ringless(name)
		if !slices.ContainsFunc(names, func(want string) bool { return alike(want, sum) }) {
			continue
		}
		if ofRing {
			counts[sum] += n
		} else {
			whole[sum] = n
		}
	}
	maps.Copy(counts, whole) // the driver's own sum, where it gives one
	return counts
}

// ringless takes the number of a ring out of a statistic's name: bnxt's
// "[3]: rx_discards", virtio_net's "rx_queue_3_drops", since Linux 6.10 "rx3_drops".
func ringless(name string) (string, bool) {
	if rest, ok := strings.CutPrefix(name, "["); ok {
		if ring, base, ok := strings.Cut(rest, "]: "); ok && digits(ring) {
			return base, true
		}
	}
	for _, prefix := range []string{"rx_queue_", "rx"} {
		rest, ok := strings.CutPrefix(name, prefix)
		ring, base, cut := strings.Cut(rest, "_")
		if ok && cut && digits(ring) {
			return strings.TrimSuffix(prefix, "_") + "_" + base, true
		}
	}
	return name, false
}

// alike says whether name is want, in which "*" stands for one number.
func alike(want, name string) bool {
	head, tail, many := strings.Cut(want, "*")
	if !many {
		return want == name
	}
	rest, ok := strings.CutPrefix(name, head)
	n, ok2 := strings.CutSuffix(rest, tail)
	return ok && ok2 && digits(n)
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
