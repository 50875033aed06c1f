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

// settings is the cluster's configuration. The manager loads only the modules that are
// always on: importing others takes most of its start. Clients are configured to log and
// to create an admin socket, which nodewatch-ceph must not do.
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
mon warn on pool no app = false
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

// makeUsers creates the daemons' users and the administrator, which the monitor
// imports when it is created.
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

// entity returns a user in the format of keyrings.
func entity(name string, caps ...string) string {
	s := fmt.Sprintf("[%s]\n\tkey = %s\n", name, Key())
	for _, line := range caps {
		s += "\tcaps " + line + "\n"
	}
	return s
}

// Key returns a new cephx key: type, time of creation, length and 16 bytes
// (CryptoKey::encode, src/auth/Crypto.cc).
func Key() string {
	b := binary.LittleEndian.AppendUint16(nil, 1)
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 16)
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(append(b, secret...))
}

// User creates a user with these caps and its keyring, and returns the path of the
// keyring. Caps are pairs of a type of daemon and the permissions there, as on the
// command line of "ceph auth get-or-create".
func (c *Cluster) User(name string, caps ...string) (keyring string) {
	c.t.Helper()
	c.Write(name+".keyring", c.Ceph(append([]string{"auth", "get-or-create", name}, caps...)...))
	return filepath.Join(c.Dir, name+".keyring")
}

// LeastCaps returns the caps in the one command in the document that creates
// nodewatch's user, for the cluster's pool.
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
