package rbd_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/libvirt"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// A form is a platform's description of a guest: libvirt's XML, or a command line
// whose arguments are separated by blanks.
type form struct {
	what, text string
	disks      []string // TARGET CLIENT IMAGE
	os, by     string
}

func (f form) read() (rbd.Guest, error) {
	if strings.HasPrefix(f.text, "<") {
		return libvirt.ParseDomain([]byte("<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>a</name>" +
			f.text + "</domain>"))
	}
	return qemu.ParseCommandLine([]byte(strings.ReplaceAll(f.text, " ", "\x00")))
}

func checkForms(t *testing.T, list []form) {
	t.Helper()
	for _, f := range list {
		g, err := f.read()
		if err != nil {
			t.Errorf("%s: %v", f.what, err)
		}
		if diff := gocmp.Diff(f.disks, platformDisks(g)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", f.what, diff)
		}
		if g.OS != f.os || g.OSBy != f.by {
			t.Errorf("%s: got %q by %q, want %q by %q", f.what, g.OS, g.OSBy, f.os, f.by)
		}
	}
}

// The OS of each platform's guests, Windows or not.
func TestSystemForms(t *testing.T) {
	const relaxed = `<relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='8191'/>`
	checkForms(t, []form{
		{"Nova, image property", `<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:image><nova:properties><nova:property name='os_type'>windows</nova:property></nova:properties></nova:image></nova:instance></metadata>`, nil, "windows", guest.OSByMetadata},
		{"Nova, a Linux image with Hyper-V features by flavor",
			`<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:image><nova:properties><nova:property name='os_distro'>ubuntu</nova:property><nova:property name='os_type'>linux</nova:property></nova:properties></nova:image></nova:instance></metadata><features><hyperv mode='custom'>` + relaxed + `</hyperv></features>`, nil, "linux", guest.OSByMetadata},
		{"Nova, a flavor's name alone",
			`<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:name>db1</nova:name><nova:flavor name='win.large'/></nova:instance></metadata>`, nil, "", guest.OSByName},
		{"OpenNebula, HYPERV", `<features><acpi/><hyperv>` + relaxed + `</hyperv></features><clock offset='localtime'/>`, nil, "windows",
			guest.OSByHyperV},
		{"OpenNebula, LOCALTIME alone", `<clock offset='localtime'/>`, nil, "", guest.OSByLocalTime},
		{"CloudStack, a Windows guest's clock", `<clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>`, nil,
			"windows", guest.OSByHyperV},
		{"oVirt, a Linux guest's clock",
			`<clock offset='variable' adjustment='0' basis='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='hpet' present='no'/></clock>`, nil, "", ""},
		{"KubeVirt, all features off", `<features><hyperv mode='custom'><relaxed state='off'/><vapic state='off'/></hyperv></features>`,
			nil, "", ""},
		{"KubeVirt, passthrough", `<features><hyperv mode='passthrough'/></features>`, nil, "", guest.OSByPassthrough},
		{"virt-manager, osinfo of Windows without features",
			`<metadata><libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'><libosinfo:os id='http://microsoft.com/win/11'/></libosinfo:libosinfo></metadata>`, nil, "windows", guest.OSByMetadata},
		{"virt-manager, osinfo generic and a panic device",
			`<metadata><libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'><libosinfo:os id='http://libosinfo.org/linux/2022'/></libosinfo:libosinfo></metadata><devices><panic model='hyperv'/></devices>`, nil, "linux", guest.OSByMetadata},
		{"a panic device alone", `<devices><panic model='hyperv'/></devices>`, nil, "windows", guest.OSByPanic},
		{"a panic device of Linux", `<devices><panic model='isa'/><panic model='pvpanic'/></devices>`, nil, "", ""},
		{"a GPU that is hidden", `<features><hyperv mode='custom'><vendor_id state='on' value='x'/></hyperv><kvm><hidden state='on'/></kvm></features>`, nil, "", ""},
		{"direct boot", `<os><type>hvm</type><kernel>/boot/vmlinuz</kernel></os>`, nil, "linux", guest.OSByKernel},
		{"Proxmox 9, Windows", `kvm -id 101 -name ad1,debug-threads=on -cpu host,hv_ipi,hv_relaxed,hv_reset,hv_runtime,hv_spinlocks=0x1fff,hv_stimer,hv_synic,hv_time,hv_vapic,hv_vpindex,+kvm_pv_eoi -rtc driftfix=slew,base=localtime`, nil, "windows", guest.OSByHyperV},
		{"Proxmox 9, Linux", `kvm -id 102 -name db1,debug-threads=on -cpu host,+kvm_pv_eoi,+kvm_pv_unhalt`, nil, "", ""},
		{"Ganeti, use_localtime", `kvm -name a -rtc base=localtime -cpu host`, nil, "", guest.OSByLocalTime},
		{"QEMU, a later -cpu without features", `qemu-system-x86_64 -cpu host,hv-relaxed=on -cpu max`, nil, "", ""},
		{"QEMU, features switched off", `qemu-system-x86_64 -cpu host,hv-time=off,-hv-relaxed`, nil, "", ""},
		{"QEMU, all features and a clock in local time", `qemu-system-x86_64 -cpu host,hv-passthrough=on -rtc base=localtime,clock=host`,
			nil, "windows", guest.OSByPassthrough + " and " + guest.OSByLocalTime},
		{"NixOS microvm", `qemu-system-x86_64 -name web -M microvm,accel=kvm -cpu host,+x2apic -kernel /nix/store/x/bzImage -rtc base=localtime`, nil, "linux", guest.OSByKernel},
	})
}

// Every disk of each platform's guests.
func TestDiskForms(t *testing.T) {
	checkForms(t, []form{
		{"libvirt, a block device behind two copies",
			`<devices><disk type='block' device='disk'><source dev='/dev/rbd0'/><target dev='vda'/><mirror type='network' job='copy'><source protocol='rbd' name='p/copy'/></mirror></disk></devices>`, []string{"vda krbd /dev/rbd0", "vda librbd p/copy"}, "", ""},
		{"libvirt, a snapshot in a chain of three",
			`<devices><disk type='file'><source file='/srv/top.qcow2'/><target dev='sda'/><backingStore type='network'><source protocol='rbd' name='p/base'><snapshot name='s'/></source><backingStore type='block'><source dev='/dev/rbd/p/old'/><backingStore/></backingStore></backingStore></disk></devices>`,
			[]string{"sda /srv/top.qcow2", "sda librbd p/base@s", "sda krbd p/old"}, "", ""},
		{"libvirt, COLO by qemu:commandline",
			`<qemu:commandline><qemu:arg value='-drive'/><qemu:arg value='if=none,id=colo,driver=quorum,vote-threshold=1,children.0.file.filename=/dev/rbd1,children.0.driver=raw'/><qemu:arg value='-blockdev'/><qemu:arg value='{"driver":"rbd","pool":"p","image":"i","node-name":"n"}'/></qemu:commandline>`,
			[]string{"colo krbd /dev/rbd1", "n librbd p/i"}, "", ""},
		{"libvirt, a socket of qemu-storage-daemon",
			`<devices><disk type='vhostuser'><source type='unix' path='/run/q.sock'/><target dev='vda'/></disk></devices>`,
			[]string{"vda /run/q.sock"}, "", ""},
		{"CloudStack, a link of udev's",
			`<devices><disk type='block'><source dev='/dev/rbd/cloudstack/9d8c7b6a'/><target dev='vda'/></disk></devices>`,
			[]string{"vda krbd cloudstack/9d8c7b6a"}, "", ""},
		{"OpenNebula, a floppy without a medium",
			`<devices><disk type='file' device='floppy'><target dev='fda'/></disk><disk type='network'><source protocol='rbd' name='one/one-5-42-0:mon_host=192.0.2.1\;192.0.2.2:key=x'/><target dev='vda'/></disk></devices>`, []string{"vda librbd one/one-5-42-0"}, "", ""},
		{"Proxmox 9, krbd below a throttle",
			`kvm -id 100 -blockdev {"detect-zeroes":"on","discard":"ignore","driver":"throttle","file":{"cache":{"direct":true,"no-flush":false},"detect-zeroes":"on","discard":"ignore","driver":"raw","file":{"aio":"io_uring","driver":"host_device","filename":"/dev/rbd-pve/6f1b7c4e-2d0a-4f55-8a39-1c1f0a6d2b90/p/vm-100-disk-0","node-name":"e1"},"node-name":"f1","read-only":false},"node-name":"drive-scsi0","read-only":false,"throttle-group":"throttle-drive-scsi0"} -device scsi-hd,bus=scsihw0.0,channel=0,scsi-id=0,lun=0,drive=drive-scsi0,id=scsi0,device_id=drive-scsi0`,
			[]string{"scsi0 krbd p/vm-100-disk-0"}, "", ""},
		{"Proxmox 7, a cloud-init drive and an EFI disk",
			`kvm -id 100 -drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF.fd -drive if=pflash,unit=1,id=drive-efidisk0,file=rbd:p/vm-100-disk-1:conf=/etc/pve/ceph.conf:id=admin,format=raw -drive file=/dev/rbd/p/vm-100-cloudinit,if=none,id=drive-ide2,media=cdrom`,
			[]string{"pflash0 /usr/share/OVMF.fd", "efidisk0 librbd p/vm-100-disk-1", "ide2 krbd p/vm-100-cloudinit"}, "", ""},
		{"Ganeti, userspace access", `kvm -name web -drive file=rbd:rbd/8f7e.rbd.disk0:auth_supported=none,format=raw,if=none,id=disk-1 -device virtio-blk-pci,drive=disk-1,id=disk-1`, []string{"disk-1 librbd rbd/8f7e.rbd.disk0"}, "", ""},
		{"libvirt's QEMU, an encrypted image with data apart",
			`qemu-kvm -name guest=a -blockdev {"driver":"rbd","pool":"p","image":"data","node-name":"libvirt-1-data"} -blockdev {"driver":"rbd","pool":"p","image":"meta","encrypt":{"format":"luks2","key-secret":"x"},"node-name":"libvirt-1-storage"} -blockdev {"driver":"qcow2","file":"libvirt-1-storage","data-file":"libvirt-1-data","node-name":"libvirt-1-format"} -device {"driver":"virtio-blk-pci","drive":"libvirt-1-format","id":"virtio-disk0"}`,
			[]string{"virtio-disk0 librbd p/data"}, "", ""},
		{"QEMU, an SD card and a floppy", `qemu-system-arm -M virt -sd /dev/rbd3 -fda /dev/rbd4`,
			[]string{"hda krbd /dev/rbd3", "hda krbd /dev/rbd4"}, "", ""},
		{"QEMU, options behind an image", `qemu-system-x86_64 -hda rbd:p/i@s -cdrom /srv/x.iso`,
			[]string{"hda librbd p/i@s", "cdrom /srv/x.iso"}, "", ""},
		{"a mirror that is written to by a filter",
			`qemu-system-x86_64 -blockdev driver=copy-on-read,node-name=top,file.driver=raw,file.file.driver=rbd,file.file.pool=p,file.file.image=i`, []string{"top librbd p/i"}, "", ""},
		{"replication of a disk", `qemu-system-x86_64 -drive if=none,id=s,driver=replication,mode=secondary,top-id=s,file.driver=qcow2,file.file.filename=/srv/active.qcow2,file.backing.driver=qcow2,file.backing.file.filename=/srv/hidden.qcow2,file.backing.backing.driver=raw,file.backing.backing.file.filename=/dev/rbd5`,
			[]string{"s /srv/active.qcow2", "s /srv/hidden.qcow2", "s krbd /dev/rbd5"}, "", ""},
	})
}
