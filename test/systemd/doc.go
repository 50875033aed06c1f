// Package systemd tests the units of this project on a real systemd: a guest under
// QEMU's software emulation boots Debian's kernel and the systemd of this machine and
// maps a disk of a real Ceph cluster; the tests check the service's state in systemd
// and in the kernel. Everything but this comment requires the build tag lab; see
// docs/systemd.md.
package systemd
