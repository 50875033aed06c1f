// Package kmsg knows the kernel's log: its records, and the grammar of what
// libceph, rbd, bonding, NIC drivers and the block layer complain of. It does not judge them.
package kmsg
