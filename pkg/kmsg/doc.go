// Package kmsg reads the kernel's log and classifies the problems that libceph, rbd, bonding,
// NIC drivers and the block layer report there. It does not judge them.
package kmsg
