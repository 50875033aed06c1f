package cephlab

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// settings are the cluster's configuration. The manager loads no module that is not
// always on: importing them is most of its start. Clients are told to log and to make an
// admin socket: nodewatch-ceph must not.
const settings = `[global]
fsid = FSID
mon host = MON
run dir = DIR
admin socket =
pid file =
crash dir = DIR
log file = DIR/$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 0
auth allow insecure global id reclaim = false
paxos propose interval = 0.1
mon client hunt interval = 0.2
mgr tick period = 1
mgr stats period = 1
[mon.a]
mon data = DIR/mon
public addrv = MON
[mgr]
mgr disabled modules = alerts,influx,insights,iostat,localpool,mirroring,nfs,osd_perf_query,osd_support,prometheus,restful,selftest,snap_schedule,stats,telegraf,test_orchestrator,zabbix
mgr data = DIR/mgr
keyring = DIR/$name.keyring
public addr = IP
[osd]
osd data = DIR/osd
keyring = DIR/$name.keyring
public addr = IP
cluster addr = IP
osd objectstore = memstore
memstore device bytes = 268435456
[client]
keyring = DIR/$name.keyring
admin socket = DIR/$name.asok
`

func (c *Cluster) config() string {
	c.Mon = fmt.Sprintf("%s:%d", c.ip, c.freePort())
	mon := fmt.Sprintf("[v2:%s:%d,v1:%s]", c.ip, c.freePort(), c.Mon)
	return strings.NewReplacer("DIR", c.Dir, "FSID", uuid(), "MON", mon, "IP", c.ip).Replace(settings)
}

// makeUsers makes the daemons' users and the administrator, which the monitor
// takes over when it is made.
func (c *Cluster) makeUsers() {
	c.t.Helper()
	all := entity("mon.", `mon = "allow *"`)
	for name, caps := range map[string][]string{
		"client.admin": {`mon = "allow *"`, `mgr = "allow *"`, `osd = "allow *"`},
		"mgr.x":        {`mon = "allow profile mgr"`, `osd = "allow *"`},
		"osd.0":        {`mon = "allow profile osd"`, `mgr = "allow profile osd"`, `osd = "allow *"`},
	} {
		own := entity(name, caps...)
		c.Write(name+".keyring", own)
		all += own
	}
	c.Write("mon.keyring", all)
}

// entity is a user as keyrings have it.
func entity(name string, caps ...string) string {
	s := fmt.Sprintf("[%s]\n\tkey = %s\n", name, Key())
	for _, line := range caps {
		s += "\tcaps " + line + "\n"
	}
	return s
}

// Key is a new cephx key: type, time of creation, length and 16 bytes
// (CryptoKey::encode, src/auth/Crypto.cc).
func Key() string {
	b := binary.LittleEndian.AppendUint16(nil, 1)
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 16)
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(append(b, secret...))
}

// User makes a user with these caps, and its keyring, whose path it returns. Caps
// are pairs of a kind of daemon and what is allowed there, as on the command line
// of "ceph auth get-or-create".
func (c *Cluster) User(name string, caps ...string) (keyring string) {
	c.t.Helper()
	c.Write(name+".keyring", c.Ceph(append([]string{"auth", "get-or-create", name}, caps...)...))
	return filepath.Join(c.Dir, name+".keyring")
}

// LeastCaps are the caps of the one command that makes nodewatch's user, in this
// document, for the cluster's pool.
func LeastCaps(t testing.TB, document string) []string {
	t.Helper()
	doc, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ceph auth get-or-create client\.nodewatch (mon) '([^']+)' (mgr) '([^']+)' (osd) '([^']+)'`).FindSubmatch(doc)
	if command == nil {
		t.Fatalf("no command in %s that makes the user", document)
	}
	var caps []string
	for _, word := range command[1:] {
		caps = append(caps, strings.ReplaceAll(string(word), "POOL", Pool))
	}
	return caps
}
