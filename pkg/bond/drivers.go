package bond

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// counters are one driver's ethtool -S statistics of frames dropped (buffers
// exhausted), and of pause frames. A received pause frame is the switch's request to
// slow down; a sent one is this host's request to the switch. A name contains "*"
// where the driver counts by priority or class.
type counters struct {
	source string // source of the names, below drivers/net
	names  []string
	// otherwise is a further name, for drivers that lack the counter unless. If both
	// exist, it has another meaning.
	unless, otherwise string
	// kernels is the name under which the kernel's rx_dropped is counted if the driver
	// does not export it: the driver fills rx_dropped from the same counter.
	kernels string
}

// overload lists the counters by driver. Counters of single rings are listed under
// their name without the ring (see ringless).
var overload = map[string]counters{
	"e1000":  {source: "ethernet/intel/e1000/e1000_ethtool.c", names: append(slices.Clone(intelNames), "alloc_rx_buff_failed")},
	"e1000e": {source: "ethernet/intel/e1000e/ethtool.c", names: append(slices.Clone(intelNames), "alloc_rx_buff_failed")},
	// igb and igc report a missed frame to the kernel as rx_missed_errors and also as
	// rx_fifo_errors, which is why Rates.Overload does not add these up.
	"igb": {source: "ethernet/intel/igb/igb_ethtool.c", names: append(slices.Clone(intelNames), "rx_queue_drops",
		"rx_queue_alloc_failed")},
	"igc": {source: "ethernet/intel/igc/igc_ethtool.c", names: append(slices.Clone(intelNames), "rx_queue_drops",
		"rx_queue_alloc_failed")},
	"ixgbe": {source: "ethernet/intel/ixgbe/ixgbe_ethtool.c", names: append(slices.Clone(intelNames), "rx_no_dma_resources",
		"alloc_rx_page_failed", "alloc_rx_buff_failed")},
	"ixgbevf": {source: "ethernet/intel/ixgbevf/ethtool.c", names: []string{"alloc_rx_page_failed", "alloc_rx_buff_failed"}},
	// Without rx_missed_errors, added in 6.1, rx_dropped counts frames for which the host
	// had no descriptor (GLV_RDPC, in i40e_main.c); with it, rx_dropped counts frames
	// that the stack refused. port.rx_dropped is named port.rx_discards since 6.1.
	"i40e": {
		source: "ethernet/intel/i40e/i40e_ethtool.c",
		names: []string{
			"port.rx_dropped", "port.rx_discards", "rx_missed_errors", "veb.rx_discards", "rx_alloc_fail", "rx_pg_alloc_fail",
			"port.link_xon_rx", "port.link_xoff_rx", "port.link_xon_tx", "port.link_xoff_tx",
		},
		unless: "rx_missed_errors", otherwise: "rx_dropped",
	},
	"i40evf": {source: "ethernet/intel/i40evf/i40evf_ethtool.c", names: []string{"rx_discards"}}, // up to 4.20
	"iavf":   {source: "ethernet/intel/iavf/iavf_ethtool.c", names: []string{"rx_discards"}},
	"ice": {source: "ethernet/intel/ice/ice_ethtool.c", names: []string{
		"rx_dropped", "rx_dropped.nic", "rx_alloc_fail", "rx_pg_alloc_fail",
		"link_xon_rx.nic", "link_xoff_rx.nic", "link_xon_tx.nic", "link_xoff_tx.nic",
	}},
	"mlx4_en":   {source: "ethernet/mellanox/mlx4/en_ethtool.c", names: mlx4Names},
	"mlx4_core": {source: "ethernet/mellanox/mlx4/en_ethtool.c", names: mlx4Names},
	"mlx5_core": {source: "ethernet/mellanox/mlx5/core/en_stats.c", names: []string{
		"rx_out_of_buffer", "rx_discards_phy", "tx_discards_phy", "rx_buff_alloc_err", "tx_queue_dropped",
		"outbound_pci_buffer_overflow", "dev_internal_queue_oob", "rx_pause_ctrl_phy", "tx_pause_ctrl_phy", "tx_pause_storm_warning_events",
		"rx_prio*_discards", "rx_prio*_buf_discard", "rx_prio*_cong_discard",
	}},
	"bnxt_en": {source: "ethernet/broadcom/bnxt/bnxt_ethtool.c", names: []string{
		"rx_discards", "rx_total_ring_discards", "rx_total_oom_discards", "rx_stat_discard", "rx_discard_packets_cos*",
		"rx_pause_frames", "tx_pause_frames",
	}},
	"bnx2": {source: "ethernet/broadcom/bnx2.c", names: []string{
		"rx_ftq_discards", "rx_discards", "rx_fw_discards", "rx_xon_frames", "rx_xoff_frames", "tx_xon_frames", "tx_xoff_frames",
	}},
	"bnx2x": {source: "ethernet/broadcom/bnx2x/bnx2x_ethtool.c", names: []string{
		"rx_discards", "rx_fw_discards", "rx_brb_discard", "rx_skb_alloc_discard", "rx_pause_frames", "tx_pause_frames",
	}},
	"tg3": {source: "ethernet/broadcom/tg3.c", names: []string{
		"rx_discards", "rx_xon_pause_rcvd", "rx_xoff_pause_rcvd", "tx_xon_sent", "tx_xoff_sent",
	}},
	"qede": {source: "ethernet/qlogic/qede/qede_ethtool.c", names: []string{
		"no_buff_discards", "brb_discards", "brb_truncates", "rx_alloc_errors", "rx_pause_frames", "tx_pause_frames",
	}},
	"be2net": {source: "ethernet/emulex/benet/be_ethtool.c", names: []string{
		"rx_drops_no_pbuf", "rx_drops_no_txpb", "rx_drops_no_erx_descr", "rx_input_fifo_overflow_drop", "rxpp_fifo_overflow_drop",
		"pmem_fifo_overflow_drop", "rx_drops_no_skbs", "rx_drops_no_frags", "rx_pause_frames", "rx_priority_pause_frames",
		"tx_pauseframes", "tx_priority_pauseframes",
	}},
	"sfc": {source: "ethernet/sfc/ef10.c, ef100_nic.c", names: []string{
		"rx_nodesc_trunc", "rx_noskb_drops", "rx_overflow", "rx_nodesc_drops", "port_rx_nodesc_drops", "port_rx_overflow",
		"port_rx_pm_discard_bb_overflow", "port_rx_pm_discard_vfifo_full", "port_rx_pause", "port_tx_pause",
	}},
	"sfc_siena":  {source: "ethernet/sfc/siena/siena.c", names: falconNames},
	"sfc_falcon": {source: "ethernet/sfc/falcon/falcon.c", names: falconNames},
	"enic":       {source: "ethernet/cisco/enic/enic_ethtool.c", names: []string{"rx_no_bufs"}},
	// In most kernels ena does not export the device's rx_drops in ethtool -S, only as the
	// kernel's rx_dropped (ena_get_stats64 in ena_netdev.c). enic's rx_dropped includes
	// frames rejected by its filters in addition to rx_no_bufs, which it exports
	// (enic_get_stats in enic_main.c).
	"ena": {
		source: "ethernet/amazon/ena/ena_ethtool.c, ena_netdev.c",
		names:  []string{"rx_drops", "rx_overruns", "rx_page_alloc_fail", "rx_skb_alloc_fail"}, kernels: "rx_drops",
	},
	// The names occur once per queue, with leading blanks, and are added up.
	"vmxnet3": {source: "vmxnet3/vmxnet3_ethtool.c", names: []string{"pkts rx OOB", "drv dropped rx total", "rx buf alloc fail"}},
	"cxgb4": {source: "ethernet/chelsio/cxgb4/cxgb4_ethtool.c", names: []string{
		"rx_bg*_frames_dropped", "rx_bg*_frames_trunc", "rx_pause_frames", "tx_pause_frames",
	}},
	"nfp": {source: "ethernet/netronome/nfp/nfp_net_ethtool.c",
		names: []string{"dev_rx_discards", "rx_discards", "rx_replace_buf_alloc_fail"}},
	"atlantic":   {source: "ethernet/aquantia/atlantic/aq_ethtool.c", names: []string{"InDroppedDma", "AllocFails", "SkbAllocFails"}},
	"r8169":      {source: "ethernet/realtek/r8169_main.c", names: []string{"rx_missed"}},
	"virtio_net": {source: "virtio_net.c", names: []string{"rx_drops", "rx_queue_drops"}},
}

// intelNames are common to Intel's drivers for PCI NICs up to ixgbe.
var intelNames = []string{
	"rx_no_buffer_count", "rx_missed_errors", "rx_fifo_errors",
	"rx_flow_control_xon", "rx_flow_control_xoff", "tx_flow_control_xon", "tx_flow_control_xoff",
}

// mlx4Names are those of mlx4_en, which reports the name of the module that owns the
// device.
var mlx4Names = []string{"rx_dropped", "rx_over_errors", "rx_fifo_errors", "rx_missed_errors", "rx_pause", "tx_pause"}

var falconNames = []string{"rx_nodesc_drop_cnt", "rx_nodesc_trunc", "rx_noskb_drops", "rx_overflow", "rx_pause", "tx_pause"}

// Pause reports whether a name of Drops.Counts counts pause frames instead of drops:
// such names contain pause, flow control, XON or XOFF.
func Pause(name string) bool {
	return slices.ContainsFunc([]string{"pause", "flow_control", "_xo"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}

// countersOf returns the counters of a driver and whether it is known. A driver that runs
// IPoIB appends that to its name, as in "mlx5_core[ib_ipoib]".
func countersOf(driver string) (counters, bool) {
	c, known := overload[strings.TrimSuffix(driver, "[ib_ipoib]")]
	return c, known
}

// dropsOf selects the overload statistics of a driver from all its statistics. It
// adds up those of single rings under the name without the ring. The result is nil
// for an unknown driver, and never nil for a known one.
func dropsOf(driver string, all map[string]uint64) map[string]uint64 {
	c, known := countersOf(driver)
	if !known {
		return nil
	}
	names := c.names
	if _, newer := all[c.unless]; c.otherwise != "" && !newer {
		names = append(slices.Clone(names), c.otherwise)
	}
	return sums(all, func(name string) bool {
		return slices.ContainsFunc(names, func(want string) bool { return alike(want, name) })
	})
}

// sums returns the statistics whose names, without their rings, are wanted.
func sums(all map[string]uint64, wanted func(name string) bool) map[string]uint64 {
	counts, whole := map[string]uint64{}, map[string]uint64{}
	for name, n := range all {
		sum, ofRing := ringless(strings.TrimSpace(name))
		switch {
		case !wanted(sum):
		case ofRing:
			counts[sum] += n
		default:
			whole[sum] = n
		}
	}
	maps.Copy(counts, whole) // the driver's own sum, if it exports one
	return counts
}

// The most counters of an unknown driver to show.
const maxUnlisted = 16

// The words in the names of drivers' counters of dropped frames.
var dropWords = [...]string{"drop", "discard", "miss", "no_buf", "nobuf", "no_desc", "nodesc", "overflow", "overrun", "over_err",
	"fifo_err", "alloc_fail", "oob", "out_of"}

// unlistedOf selects the statistics of an unknown driver whose names suggest frames
// dropped on receive. The result is empty for a known driver.
func unlistedOf(driver string, all map[string]uint64) map[string]uint64 {
	if _, known := countersOf(driver); known {
		return nil
	}
	found := sums(all, func(name string) bool {
		name = strings.ToLower(name)
		return !strings.HasPrefix(name, "tx") && !strings.Contains(name, "_tx") && !Pause(name) &&
			slices.ContainsFunc(dropWords[:], func(word string) bool { return strings.Contains(name, word) })
	})
	names := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(cmp.Compare(found[b], found[a]),
			cmp.Compare(a, b))
	})
	for _, name := range names[min(len(names), maxUnlisted):] {
		delete(found, name)
	}
	return found
}

// ringless removes the number of a ring from a statistic's name. Known drivers write
// bnxt's and bnx2x's "[3]: rx_discards", qede's "3: rx_alloc_errors", be2net's "rxq3:
// rx_drops_no_frags", ena's "queue_3_rx_page_alloc_fail", atlantic's "TC0 Queue[3]
// AllocFails", igb's and virtio_net's "rx_queue_3_drops", and since Linux 6.10
// "rx3_drops". Unknown drivers write, for example, ionic's "rx_3_dropped", idpf's
// "rx_q-3_pkts", hns3's "rxq3_l2_err" and gve's "rx_drops_packet_over_mru[3]".
func ringless(name string) (string, bool) {
	for _, form := range [...]struct{ before, after, kept string }{
		{"[", "]: ", ""}, {"rxq", ": ", ""}, {"", ": ", ""}, {"queue_", "_rx_", "rx_"}, {"Queue[", "] ", ""},
		{"rx_queue_", "_", "rx_queue_"}, {"rx", "_", "rx_"}, {"rx-", ".", "rx_"}, {"rx_q-", "_", "rx_"}, {"rxq", "_", "rxq_"},
		{"rx_", "_", "rx_"},
	} {
		rest, ok := strings.CutPrefix(name, form.before)
		if form.before == "Queue[" && !ok && strings.HasPrefix(name, "TC") {
			_, rest, ok = strings.Cut(name, " Queue[")
		}
		ring, base, cut := strings.Cut(rest, form.after)
		if ok && cut && digits(ring) {
			return form.kept + base, true
		}
	}
	if base, ring, cut := strings.Cut(strings.TrimSuffix(name, "]"), "["); cut && base != "" && digits(ring) {
		return base, true
	}
	return name, false
}

// alike reports whether name matches want, in which "*" represents one number.
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
