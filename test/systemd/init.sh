#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in virtio_pci virtio_blk crc32c_generic ext4; do modprobe $m; done
mount -t ext4 /dev/vda /root || exec sh </dev/console >/dev/console 2>&1
exec switch_root /root /lib/systemd/systemd
