package bond

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxStatistics is the most statistics of one NIC that are read. The kernel writes
// all names, regardless of the announced size of the buffer, so the buffer must be
// larger than any NIC needs.
const maxStatistics = 32768

// The header sizes of struct ethtool_gstrings and of struct ethtool_stats, and the
// length of a name (include/uapi/linux/ethtool.h).
const (
	stringsHead = 3 * 4
	statsHead   = 2 * 4
	nameLength  = 32
	setOfStats  = 1 // ETH_SS_STATS
)

// An ethtool makes the requests of ethtool(8), over SIOCETHTOOL.
type ethtool struct {
	fd     int
	names  []byte
	values []byte
}

func newEthtool() (*ethtool, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &ethtool{fd: fd}, nil
}

func (e *ethtool) close() { unix.Close(e.fd) }

// driver returns the name of the link's driver, and the bus address of its device.
func (e *ethtool) driver(link string) (driver, bus string, err error) {
	info, err := unix.IoctlGetEthtoolDrvinfo(e.fd, link)
	if err != nil {
		return "", "", err
	}
	return unix.ByteSliceToString(info.Driver[:]), unix.ByteSliceToString(info.Bus_info[:]), nil
}

// statistics returns the statistics of ethtool -S. Values with the same name, as some
// drivers have one per queue, are added up.
func (e *ethtool) statistics(link string) (map[string]uint64, error) {
	info, err := unix.IoctlGetEthtoolDrvinfo(e.fd, link)
	if err != nil {
		return nil, err
	}
	n := info.N_stats
	if n > maxStatistics {
		return nil, fmt.Errorf("%d statistics; at most %d are read", n, maxStatistics)
	}
	if e.names == nil {
		e.names, e.values = make([]byte, stringsHead+maxStatistics*nameLength), make([]byte, statsHead+maxStatistics*8)
	}
	binary.NativeEndian.PutUint32(e.names[0:], unix.ETHTOOL_GSTRINGS)
	binary.NativeEndian.PutUint32(e.names[4:], setOfStats)
	binary.NativeEndian.PutUint32(e.names[8:], n)
	if err := e.ask(link, e.names); err != nil {
		return nil, err
	}
	named := binary.NativeEndian.Uint32(e.names[8:])
	binary.NativeEndian.PutUint32(e.values[0:], unix.ETHTOOL_GSTATS)
	binary.NativeEndian.PutUint32(e.values[4:], n)
	if err := e.ask(link, e.values); err != nil {
		return nil, err
	}
	return paired(e.names[stringsHead:], e.values[statsHead:], int(min(n, named, binary.NativeEndian.Uint32(e.values[4:])))), nil
}

// paired returns n names with their values.
func paired(names, values []byte, n int) map[string]uint64 {
	all := make(map[string]uint64, n)
	for i := range n {
		name, _, _ := bytes.Cut(names[i*nameLength:(i+1)*nameLength], []byte{0})
		if len(name) > 0 {
			all[string(name)] += binary.NativeEndian.Uint64(values[i*8:])
		}
	}
	return all
}

// ask makes the ioctl. The kernel writes its reply into data, which is on the heap.
func (e *ethtool) ask(link string, data []byte) error {
	request := struct { // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [24 - unsafe.Sizeof(uintptr(0))]byte
	}{data: unsafe.Pointer(&data[0])}
	copy(request.name[:unix.IFNAMSIZ-1], link)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(e.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
