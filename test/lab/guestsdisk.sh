# Creates ./image: a small Debian with libvirtd, virsh and QEMU, from files of this
# machine and from two packages that are unpacked but not installed.
version() { dpkg-query -W -f '${Version}' "$1"; }
fetch() {
	apt-get -q download "$@" >fetch.log 2>&1 || {
		apt-get -q update >>fetch.log 2>&1
		apt-get -q download "$@" >>fetch.log 2>&1 || { cat fetch.log; exit 1; }
	}
}
# QEMU loads only modules of its own build.
fetch "qemu-block-extra=$(version qemu-system-x86)" "libvirt-clients=$(version libvirt-daemon)"
for p in *.deb; do dpkg-deb -x "$p" extra; done

mkdir -p root/usr/bin root/usr/sbin root/usr/lib64 root/etc.new/libvirt
for d in proc sys dev run etc tmp var usr/lib; do mkdir -p "root/$d"; done
for d in bin sbin lib lib64; do ln -s "usr/$d" "root/$d"; done
lib=$(dirname "$(dpkg -L qemu-system-common | grep '/accel-tcg-x86_64.so$')")
drivers=$(dirname "$(dpkg -L libvirt-daemon-driver-qemu | grep '/libvirt_driver_qemu.so$')")
printf '%s\n' /usr/sbin/libvirtd /usr/bin/qemu-system-x86_64 /usr/bin/setpriv "$lib/accel-tcg-x86_64.so" \
	"$drivers/libvirt_driver_qemu.so" "$drivers/libvirt_driver_secret.so" >programs
ldd $(cat programs) "extra$lib/block-rbd.so" extra/usr/bin/virsh >libraries
if grep 'not found' libraries; then exit 1; fi
sed -n 's/^[^/]*\(\/[^ :]*\) (0x.*/\1/p' libraries | sort -u >>programs
printf '%s\n' /usr/share/seabios/bios-256k.bin /usr/share/qemu/kvmvapic.bin >>programs
sed 's/^/./' programs | (cd / && tar chf - -T -) | tar xf - -C root --keep-directory-symlink
tar cf - -C / ./usr/share/libvirt/cpu_map | tar xf - -C root --keep-directory-symlink
cp "extra$lib/block-rbd.so" "root$lib/"
cp extra/usr/bin/virsh root/usr/bin/

cat >root/etc.new/passwd <<'END'
root:x:0:0::/:/bin/false
libvirt-qemu:x:0:0::/:/bin/false
END
cat >root/etc.new/group <<'END'
root:x:0:
libvirt-qemu:x:0:
END
echo 'passwd: files' >root/etc.new/nsswitch.conf
cat >root/etc.new/libvirt/libvirtd.conf <<'END'
unix_sock_dir = "/run/libvirt"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:stderr"
END
cat >root/etc.new/libvirt/qemu.conf <<'END'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
dynamic_ownership = 0
remember_owner = 0
END
mke2fs -q -t ext4 -O '^has_journal' -m 0 -d root image "$(($(du -sm root | cut -f1) * 11 / 10 + 16))M"
