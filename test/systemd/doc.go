// Package systemd tries the units of this project on a real systemd: a guest under
// QEMU's software emulation boots Debian's kernel and the systemd of this machine, maps
// a disk of a real Ceph cluster, and the test looks at what systemd and the kernel say
// of the service. Everything but this comment is behind the build tag lab; see
// docs/systemd.md.
package systemd
