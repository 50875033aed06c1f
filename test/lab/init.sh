#!/bin/sh
export PATH=/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t debugfs debug /sys/kernel/debug
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
echo /sbin/modprobe >/proc/sys/kernel/modprobe
hostname node2
modprobe virtio_pci
modprobe virtio_console
modprobe virtio_net
modprobe bonding max_bonds=0
modprobe rbd
ip link set lo up
agent >/dev/console 2>&1 &
# A shell on the serial line, for KEEP=1. This is also init and reaps processes.
while :; do
	setsid cttyhack sh </dev/console >/dev/console 2>&1
	sleep 1
done
