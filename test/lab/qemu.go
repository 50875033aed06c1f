//go:build lab

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/call"
	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// nics are the guest's NICs, which are also ports of the switch.
var nics = []string{"eth0", "eth1"}

// speed is the link speed of the NICs and the rate of the switch, in Mbit/s.
const speed = 100

// A Machine is the emulated hypervisor.
type Machine struct {
	*Guest
	process *Child
	dir     string
	qmp     net.Conn
	answers *json.Decoder
	mu      sync.Mutex // of qmp
}

// Boot starts QEMU with its NICs on the switch, and waits for the agent.
func Boot(ctx context.Context, c *Children, k Kernel, initramfs string, s *ethswitch.Switch) (*Machine, error) {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg", "-smp", "1", "-m", "768",
		"-kernel", k.Image, "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=-1 log_buf_len=1M",
		"-chardev", "socket,id=console,path=console.sock,server=on,wait=off,logfile=console.log", "-serial", "chardev:console",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off",
		"-device", "virtserialport,chardev=agent,name=" + call.Port,
		"-qmp", "unix:qmp.sock,server=on,wait=off",
	}
	var listeners []net.Listener
	for i, name := range nics {
		l, err := net.Listen("unix", filepath.Join(c.dir, name+".sock"))
		if err != nil {
			return nil, err
		}
		defer l.Close()
		listeners = append(listeners, l)
		args = append(args, "-netdev", "stream,id=net"+strconv.Itoa(i)+",server=off,addr.type=unix,addr.path="+name+".sock",
			"-device", fmt.Sprintf("virtio-net-pci,id=%s,netdev=net%d,mac=%s,speed=%d,duplex=full", name, i, mac(i), speed))
	}
	m := &Machine{dir: c.dir}
	var err error
	if m.process, err = c.Start("qemu", "qemu-system-x86_64", args...); err != nil {
		return nil, err
	}
	for i, l := range listeners {
		conn, err := m.accept(ctx, l)
		if err != nil {
			return nil, err
		}
		s.Attach(nics[i], true, ethswitch.NewStream(conn))
	}
	return m, m.connect(ctx)
}

func mac(nic int) string { return fmt.Sprintf("52:54:00:77:00:%02x", 2+nic) }

// accept waits until QEMU connects or ends.
func (m *Machine) accept(ctx context.Context, l net.Listener) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	go func() {
		select {
		case <-m.process.done:
			l.Close()
		case <-ctx.Done():
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		return nil, fmt.Errorf("QEMU did not come: %w\n%s", err, m.said())
	}
	return conn, nil
}

func (m *Machine) connect(ctx context.Context) error {
	var err error
	if m.qmp, err = m.dial(ctx, "qmp.sock"); err != nil {
		return err
	}
	m.answers = json.NewDecoder(m.qmp)
	if err := m.answers.Decode(new(any)); err != nil { // the greeting
		return fmt.Errorf("QMP: %w", err)
	}
	if err := m.Monitor("qmp_capabilities", nil); err != nil {
		return err
	}
	line, err := m.dial(ctx, "agent.sock")
	if err != nil {
		return err
	}
	m.Guest = newGuest(line)
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for { // data sent before the port is opened may be lost
		try, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, _, err := m.Run(try, "true")
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || m.process.Ended() {
			return fmt.Errorf("the guest did not boot: %w\n%s", err, m.said())
		}
	}
}

func (m *Machine) dial(ctx context.Context, name string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("unix", filepath.Join(m.dir, name))
		if err == nil {
			return conn, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w\n%s", err, m.said())
		}
	}
}

// Monitor runs a command of QEMU's monitor.
func (m *Machine) Monitor(command string, arguments map[string]any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := json.NewEncoder(m.qmp).Encode(request); err != nil {
		return err
	}
	for {
		var a struct {
			Return any             `json:"return"`
			Error  json.RawMessage `json:"error"`
			Event  string          `json:"event"`
		}
		if err := m.answers.Decode(&a); err != nil {
			return fmt.Errorf("QMP: %w", err)
		}
		switch {
		case a.Error != nil:
			return errors.New("QMP: " + command + ": " + string(a.Error))
		case a.Event == "":
			return nil
		}
	}
}

// SetLink connects or disconnects a NIC.
func (m *Machine) SetLink(nic string, up bool) error {
	return m.Monitor("set_link", map[string]any{"name": nic, "up": up})
}

// PlugNIC adds a NIC while the guest runs, as a member of the switch's port-channel.
func (m *Machine) PlugNIC(ctx context.Context, s *ethswitch.Switch, name string) error {
	path := filepath.Join(m.dir, name+".sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer l.Close()
	address := map[string]any{"type": "unix", "path": path}
	if err := m.Monitor("netdev_add", map[string]any{"type": "stream", "id": "net-" + name, "server": false, "addr": address}); err != nil {
		return err
	}
	conn, err := m.accept(ctx, l)
	if err != nil {
		return err
	}
	s.Attach(name, true, ethswitch.NewStream(conn))
	device := map[string]any{"driver": "virtio-net-pci", "id": name, "netdev": "net-" + name, "mac": mac(len(nics)), "speed": speed,
		"duplex": "full"}
	return m.Monitor("device_add", device)
}

// UnplugNIC removes the NIC. The guest may release it after a delay.
func (m *Machine) UnplugNIC(name string) error {
	if err := m.Monitor("device_del", map[string]any{"id": name}); err != nil {
		return err
	}
	return m.Monitor("netdev_del", map[string]any{"id": "net-" + name})
}

// said returns the end of the output of QEMU and the guest's console.
func (m *Machine) said() string {
	var all string
	for _, name := range []string{"qemu.log", "console.log"} {
		b, err := os.ReadFile(filepath.Join(m.dir, name))
		if err == nil {
			all += name + ":\n" + string(b[max(0, len(b)-3000):]) + "\n"
		}
	}
	return all
}
