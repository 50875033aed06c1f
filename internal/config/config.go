// Package config turns the configuration file into a validated Config. An error is
// one line: file, line, field, and the allowed values.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/internal/strictyaml"
)

// A Config contains all settings of the file. Its zero value is not valid: start from
// Default.
type Config struct {
	Node      string            `yaml:"node" doc:"name of this node in reports; empty: the host name"`
	Site      string            `yaml:"site" doc:"location of the node, such as a data centre; part of every reported name"`
	Labels    map[string]string `yaml:"labels" doc:"further properties, such as its rack or its switch; become labels of alerts"`
	State     string            `yaml:"state_directory" doc:"directory for overrides and for the state of reporters; empty: $STATE_DIRECTORY, else /var/lib/nodewatch"`
	Runtime   string            `yaml:"runtime_directory" doc:"directory for the position in the kernel log; empty: $RUNTIME_DIRECTORY, and none without it"`
	Runbook   string            `yaml:"runbook" doc:"base URL of the rules' documentation; a rule's id is appended as the anchor"`
	Web       Web               `yaml:"web" doc:"the page, /metrics and the API"`
	Links     Links             `yaml:"links" doc:"links on the page of the node"`
	Tape      Tape              `yaml:"tape" doc:"the flight recorder"`
	Libvirt   Libvirt           `yaml:"libvirt" doc:"guests, by libvirt"`
	OVS       OVS               `yaml:"ovs" doc:"Open vSwitch bonds"`
	Ceph      Ceph              `yaml:"ceph" doc:"the Ceph cluster, queried by nodewatch-ceph"`
	Reporters []Reporter
	Digest    string // hash of the file's content, in hex: distinguishes two files; empty without a file
	Rules     rule.RuleSet
}

// Tape configures where observations are recorded.
type Tape struct {
	File string `yaml:"file" doc:"file to record to, on a RAM disk; .zst compresses; empty: none"`
	Max  int    `yaml:"max_megabytes" doc:"the recording ends at this size, in MiB" min:"1" max:"65536"`
}

// Libvirt configures the connection to libvirt.
type Libvirt struct {
	Off     bool     `yaml:"off" doc:"do not query libvirt"`
	Sockets []string `yaml:"sockets" doc:"read-only sockets of libvirt; the first that responds is used"`
}

// OVS configures the connection to Open vSwitch.
type OVS struct {
	Off    bool   `yaml:"off" doc:"do not query Open vSwitch"`
	Socket string `yaml:"socket" doc:"ovsdb-server's socket"`
}

// Ceph configures the queries to the cluster.
type Ceph struct {
	Off     bool          `yaml:"off" doc:"do not query the cluster"`
	Child   string        `yaml:"child" doc:"the nodewatch-ceph binary; empty: in nodewatch's directory"`
	Conf    string        `yaml:"conf" doc:"Ceph configuration file; empty: librados' default"`
	Name    string        `yaml:"name" doc:"Ceph user"`
	Keyring string        `yaml:"keyring" doc:"keyring file of that user; without it the cluster is not queried"`
	Every   time.Duration `yaml:"every" doc:"interval between queries" min:"10s" max:"1h"`
}

// Default returns the configuration without a file.
func Default() Config {
	return Config{
		Web:  Web{Listen: []string{"127.0.0.1:10090"}, Connections: 100},
		Tape: Tape{Max: 1024},
		Libvirt: Libvirt{Sockets: []string{
			// also used by virtproxyd and in containers with the host's /run
			"/run/libvirt/libvirt-sock-ro", "/run/libvirt/virtqemud-sock-ro",
			"/var/snap/openstack-hypervisor/common/run/libvirt/libvirt-sock-ro", "/var/snap/microstack/common/run/libvirt/libvirt-sock-ro",
		}},
		OVS:   OVS{Socket: "/run/openvswitch/db.sock"},
		Ceph:  Ceph{Name: "client.nodewatch", Keyring: "/etc/ceph/ceph.client.nodewatch.keyring", Every: time.Minute},
		Rules: all.Default(),
	}
}

// MaxSize is the maximum size of the file, in bytes.
const MaxSize = 1 << 20

// Errors are the mistakes in one file, at least one, in the order of the file.
type Errors strictyaml.Errors

// Error implements error in one line: the first mistake, and the number of further
// ones.
func (e Errors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	return fmt.Sprintf("%s (1 of %d errors; nodewatch check-config lists all)", e[0], len(e))
}

// Read reads the file's content from r; name is used in errors. Every error is of
// type Errors and contains all mistakes, in the order of the file.
func Read(name string, r io.Reader) (Config, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return Config{}, Errors{{File: name, Text: err.Error()}}
	}
	if len(raw) > MaxSize {
		return Config{}, Errors{{File: name, Text: "is larger than 1 MiB"}}
	}
	c, err := decode(name, raw)
	if err != nil {
		return Config{}, err
	}
	sum := sha256.Sum256(raw)
	c.Digest = hex.EncodeToString(sum[:8])
	return c, nil
}
