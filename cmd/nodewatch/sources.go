package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/krbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/libvirt"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// poll returns the Source of one entry of sourceEntries.
func poll[T any](name string, wake <-chan struct{}, read func(context.Context) (T, error),
	as func(node.Reading[T]) node.Observation) watch.Source {
	l := listed(name)
	return watch.Poll(watch.Polling[T]{
		Name: name, Every: l.every, Deadline: l.late, Wake: wake, Settle: settle, Read: read, As: as, Remedy: l.remedy,
	})
}

// settle is the delay after which a source that was woken is read again: a returning
// slave completes its negotiation with the switch within seconds, without a link
// event.
const settle = 8 * time.Second

// sources returns all sources of the daemon. This list connects them.
func sources(ctx context.Context, c config.Config, at hostPaths, l *launcher.Client,
	view func() (judge.View, bool)) ([]watch.Source, error) {
	sys, proc := hostfs.FS(at.sys), hostfs.FS(at.proc)
	links, err := bond.NewReader(sys)
	if err != nil {
		return nil, err
	}
	nics := &nicList{}
	probe := newProbe(l)
	list := []watch.Source{
		poll(node.SourceBond, watch.Events(ctx, bond.Follow), nics.read(links.Read),
			func(r node.Reading[bond.Links]) node.Observation { return node.SawLinks{Reading: r} }),
		poll(node.SourceNIC, nil, nics.counters(links),
			func(r node.Reading[[]bond.Counters]) node.Observation { return node.SawCounters{Reading: r} }),
		poll(node.SourceDrops, nil, nics.drops, func(r node.Reading[[]bond.Drops]) node.Observation { return node.SawDrops{Reading: r} }),
		poll(node.SourceLimits, nil, limits(view),
			func(r node.Reading[bond.Limits]) node.Observation { return node.SawLimits{Reading: r} }),
		poll(node.SourceKrbd, nil, krbd.NewLister(sys, options(probe)).Read,
			func(r node.Reading[[]rbd.Mapped]) node.Observation { return node.SawMapped{Reading: r} }),
		poll(node.SourceIO, nil, krbd.NewIOReader(sys).Read,
			func(r node.Reading[[]rbd.IO]) node.Observation { return node.SawIO{Reading: r} }),
		poll(node.SourceOSDC, nil, osdc(probe, view),
			func(r node.Reading[[]rbd.Pending]) node.Observation { return node.SawPending{Reading: r} }),
		poll(node.SourceQEMU, nil, qemu.NewProcesses(proc, guestAsks(probe),
			func() ([]qemu.ServedDevice, error) { return qemu.ReadServed(sys) }).Read,
			func(r node.Reading[rbd.Guests]) node.Observation { return node.SawQEMU{Reading: r} }),
		newKernelLog(c, at).source(),
		poll(node.SourceHost, nil, host.NewReader(proc, host.Limits{}).Read,
			func(r node.Reading[host.State]) node.Observation { return node.SawHost{Reading: r} }),
		poll(node.SourceState, nil, keptState(stateDirectory(c)),
			func(r node.Reading[json.RawMessage]) node.Observation { return node.SawState{Reading: r} }),
		poll(node.SourceOverrides, nil, readOverrides(stateDirectory(c)),
			func(r node.Reading[override.Overrides]) node.Observation { return node.SawOverrides{Reading: r} }),
	}
	if !c.OVS.Off {
		list = append(list, poll(node.SourceOVS, nil, ovs(c.OVS.Socket),
			func(r node.Reading[[]bond.Bond]) node.Observation { return node.SawOVS{Reading: r} }))
	}
	if !c.Libvirt.Off {
		list = append(list, poll(node.SourceLibvirt, nil, libvirt.New(c.Libvirt.Sockets, rbd.DeviceNumber).Read,
			func(r node.Reading[rbd.Guests]) node.Observation { return node.SawLibvirt{Reading: r} }))
	}
	if !c.Ceph.Off {
		spec := listed(node.SourceCeph)
		list = append(list, watch.Poll(watch.Polling[ceph.Cluster]{
			Name: spec.name, Every: c.Ceph.Every, Deadline: spec.late, Remedy: spec.remedy,
			Read: newCephChild(c.Ceph, l, view).read,
			As:   func(r node.Reading[ceph.Cluster]) node.Observation { return node.SawCluster{Reading: r} },
		}))
	}
	return list, nil
}

// launcherSource returns the source of the launcher's state.
func launcherSource(l *launcher.Client) watch.Source {
	read := func(ctx context.Context) (node.Launcher, error) {
		s, err := l.Check(ctx)
		return node.Launcher{Restarts: s.Restarts, Running: s.Running, LeftBehind: s.LeftBehind}, err
	}
	return poll(node.SourceLauncher, nil, read,
		func(r node.Reading[node.Launcher]) node.Observation { return node.SawLauncher{Reading: r} })
}

// reporterSources returns the sources of the state directory and, if there are
// reporters, of their state.
func reporterSources(o *outbox, reporters int) []watch.Source {
	list := []watch.Source{poll(node.SourceStateDirectory, nil, o.state,
		func(r node.Reading[node.StateDirectory]) node.Observation { return node.SawStateDirectory{Reading: r} })}
	if reporters > 0 {
		list = append(list, poll(node.SourceReporters, nil, o.deliveries,
			func(r node.Reading[[]node.Delivery]) node.Observation { return node.SawDeliveries{Reading: r} }))
	}
	return list
}

// A nicList contains the NICs that are read each second: those found by the latest
// full reading of the links.
type nicList struct{ links atomic.Pointer[bond.Links] }

// read records the result of each full reading.
func (n *nicList) read(read func(context.Context) (bond.Links, error)) func(context.Context) (bond.Links, error) {
	return func(ctx context.Context) (bond.Links, error) {
		l, err := read(ctx)
		if err == nil {
			n.links.Store(&l)
		}
		return l, err
	}
}

// counters reads the counters of the listed NICs; before the first full reading there
// are none.
func (n *nicList) counters(r *bond.Reader) func(context.Context) ([]bond.Counters, error) {
	return func(ctx context.Context) ([]bond.Counters, error) {
		l := n.links.Load()
		if l == nil {
			return nil, nil
		}
		return r.Counters(ctx, l.Indexes())
	}
}

// drops reads the drivers' drop counters of the listed NICs.
func (n *nicList) drops(ctx context.Context) ([]bond.Drops, error) {
	l := n.links.Load()
	if l == nil {
		return nil, nil
	}
	var names []string
	for _, b := range l.Bonds {
		for _, s := range b.Slaves {
			names = append(names, s.Name)
		}
	}
	for _, c := range l.NICs {
		names = append(names, c.Name)
	}
	return bond.ReadDrops(ctx, names)
}

// limits reads the rate limits of the links that carry krbd's traffic. Before the first
// verdict, no such link is known.
func limits(view func() (judge.View, bool)) func(context.Context) (bond.Limits, error) {
	return func(ctx context.Context) (bond.Limits, error) {
		v, _ := view()
		return bond.ReadLimits(ctx, v.StorageLinks())
	}
}

// ovs reads Open vSwitch's bonds.
func ovs(socket string) func(context.Context) ([]bond.Bond, error) {
	return func(ctx context.Context) ([]bond.Bond, error) { return bond.ReadOVS(ctx, socket) }
}

// osdc queries the probe for krbd's pending requests, if krbd is in use.
func osdc(probe *watch.Probe, view func() (judge.View, bool)) func(context.Context) ([]rbd.Pending, error) {
	return func(ctx context.Context) ([]rbd.Pending, error) {
		if v, ok := view(); ok && !v.Mapped.At.IsZero() && len(v.Mapped.Value) == 0 {
			return nil, nil
		}
		var list []rbd.Pending
		err := probe.Ask(ctx, "osdc", nil, &list)
		return list, err
	}
}

// The time limits for the probe within one reading, for the options of krbd's clients
// and for a QEMU: on a busy host it may just be starting. While it hangs, everything
// that does not need it is still read.
const (
	optionsPatience = 2 * time.Second
	qemuPatience    = 3 * time.Second
)

// options queries the probe for the options of krbd's clients.
func options(probe *watch.Probe) func(context.Context) ([]krbd.ClientOptions, error) {
	return func(ctx context.Context) (list []krbd.ClientOptions, err error) {
		bounded, cancel := context.WithTimeout(ctx, optionsPatience)
		defer cancel()
		err = probe.Ask(bounded, "options", nil, &list)
		return list, err
	}
}

// guestAsks returns the queries to the probe about guests.
func guestAsks(probe *watch.Probe) qemu.Asks {
	return qemu.Asks{
		Guest: func(ctx context.Context, p qemu.Process) (d qemu.Description, err error) {
			err = askGuests(ctx, probe, "qemu", p, &d)
			return d, err
		},
		Opened: func(ctx context.Context, of []qemu.Process) (list []qemu.Opened, err error) {
			err = askGuests(ctx, probe, "opened", of, &list)
			return list, err
		},
		Exports: func(ctx context.Context, p qemu.Process) (list []rbd.Export, err error) {
			err = askGuests(ctx, probe, "exports", p, &list)
			return list, err
		},
		Systems: func(ctx context.Context, vmids []string) (systems map[string]string, err error) {
			err = askGuests(ctx, probe, "systems", vmids, &systems)
			return systems, err
		},
	}
}

// askGuests sends the probe one query about guests, with the time limit qemuPatience.
// The error is qemu.ErrNotAsked if the query was not sent.
func askGuests(ctx context.Context, probe *watch.Probe, do string, arg, value any) error {
	bounded, cancel := context.WithTimeout(ctx, qemuPatience)
	defer cancel()
	err := probe.Ask(bounded, do, arg, value)
	if errors.Is(err, watch.ErrNoProbe) || errors.Is(err, watch.ErrNotRunning) {
		return fmt.Errorf("%w: %s", qemu.ErrNotAsked, err.Error()) // not wrapped: with its deadline error, the process would count as late
	}
	return err
}

// hostName returns the name of this node if the configuration contains none: the host
// name without its domain.
func hostName(c config.Config) string {
	if c.Node != "" {
		return c.Node
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	short, _, _ := strings.Cut(name, ".")
	return short
}
