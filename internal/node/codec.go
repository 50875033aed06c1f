package node

import (
	"fmt"
	"strings"
)

// Name returns the observation's name on tapes.
func Name(o Observation) string {
	switch o.(type) {
	case Started, *Started:
		return "start"
	case Settings, *Settings:
		return "settings"
	case SawLinks, *SawLinks:
		return SourceBond
	case SawCounters, *SawCounters:
		return SourceNIC
	case SawDrops, *SawDrops:
		return SourceDrops
	case SawLimits, *SawLimits:
		return SourceLimits
	case SawOVS, *SawOVS:
		return SourceOVS
	case SawMapped, *SawMapped:
		return SourceKrbd
	case SawIO, *SawIO:
		return SourceIO
	case SawPending, *SawPending:
		return SourceOSDC
	case SawLibvirt, *SawLibvirt:
		return SourceLibvirt
	case SawQEMU, *SawQEMU:
		return SourceQEMU
	case SawKernel, *SawKernel:
		return SourceKmsg
	case SawHost, *SawHost:
		return SourceHost
	case SawCluster, *SawCluster:
		return SourceCeph
	case SawOverrides, *SawOverrides:
		return SourceOverrides
	case SawDeliveries, *SawDeliveries:
		return SourceReporters
	case SawState, *SawState:
		return SourceState
	case SawLauncher, *SawLauncher:
		return SourceLauncher
	case SawStateDirectory, *SawStateDirectory:
		return SourceStateDirectory
	}
	return ""
}

// NewObservation returns a pointer to an empty observation of the given name, to decode into.
func NewObservation(name string) (Observation, error) {
	switch name {
	case "start":
		return &Started{}, nil
	case "settings":
		return &Settings{}, nil
	case SourceBond:
		return &SawLinks{}, nil
	case SourceNIC:
		return &SawCounters{}, nil
	case SourceDrops:
		return &SawDrops{}, nil
	case SourceLimits:
		return &SawLimits{}, nil
	case SourceOVS:
		return &SawOVS{}, nil
	case SourceKrbd:
		return &SawMapped{}, nil
	case SourceIO:
		return &SawIO{}, nil
	case SourceOSDC:
		return &SawPending{}, nil
	case SourceLibvirt:
		return &SawLibvirt{}, nil
	case SourceQEMU:
		return &SawQEMU{}, nil
	case SourceKmsg:
		return &SawKernel{}, nil
	case SourceHost:
		return &SawHost{}, nil
	case SourceCeph:
		return &SawCluster{}, nil
	case SourceOverrides, "wishes": // its former name, in tapes
		return &SawOverrides{}, nil
	case SourceReporters:
		return &SawDeliveries{}, nil
	case SourceState:
		return &SawState{}, nil
	case SourceLauncher:
		return &SawLauncher{}, nil
	case SourceStateDirectory:
		return &SawStateDirectory{}, nil
	}
	return nil, fmt.Errorf("unknown observation %q; valid are %s", name, strings.Join(Names(), ", "))
}

// Names returns the names of all observations.
func Names() []string {
	return []string{
		"start", "settings", SourceBond, SourceNIC, SourceDrops, SourceLimits, SourceOVS, SourceKrbd, SourceIO, SourceOSDC, SourceLibvirt,
		SourceQEMU, SourceKmsg, SourceHost, SourceCeph, SourceOverrides, SourceReporters, SourceState, SourceStateDirectory,
	}
}
