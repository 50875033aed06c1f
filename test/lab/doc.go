// Package lab runs nodewatch on a real kernel: a guest under QEMU's software emulation
// with the real bonding driver and krbd, a switch, and a real Ceph cluster, all in a
// network namespace of their own. Everything but this comment is behind the build tag
// lab; see docs/lab.md.
package lab
