// Package lab runs nodewatch on a real kernel: a guest under QEMU's software emulation
// with the real bonding driver and krbd, a switch, and a real Ceph cluster, all in a
// separate network namespace. Everything but this comment requires the build tag lab;
// see docs/lab.md.
package lab
