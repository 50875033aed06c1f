package main

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/test/manpage"
)

// The man page is generated from the flags and the exit codes.
func TestDocsManPageIsFresh(t *testing.T) {
	const file = "../../docs/man/nodewatch-ceph.1"
	p, err := manpage.New("nodewatch-ceph", 1, "query a Ceph cluster once, for nodewatch", "../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	p.Section("synopsis")
	p.Item("nodewatch-ceph [flags]", "", "")
	p.Section("description")
	p.Text(`nodewatch-ceph queries a Ceph cluster once, prints the result as one JSON document, and exits. nodewatch runs it as a child
process, because a call of librados may never return; it can also be run by hand.

It only reads: it writes nothing to the cluster or to a disk, takes no lock and watches no image. The process exits when its time is over,
whatever it waits for.`)
	p.Section("options")
	flags, _, _ := newFlags(&ceph.Request{})
	flags.VisitAll(func(f *flag.Flag) {
		name, usage := flag.UnquoteUsage(f)
		p.Item("--"+f.Name, name, usage+".")
	})
	p.Section("exit status")
	for _, e := range []struct {
		code int
		text string
	}{
		{ceph.ExitOK, "A document was printed; its errors name the parts that are missing."},
		{ceph.ExitFailed, "No document: no monitor responds, there is no configuration, or standard output cannot be written."},
		{ceph.ExitUsage, "The request is invalid."},
		{ceph.ExitAlarm, "Timeout: a call did not return."},
		{ceph.ExitWithout, "Built without librados."},
		{ceph.ExitDenied, "No readable keyring, or a wrong key."},
	} {
		p.Item(fmt.Sprint(e.code), "", e.text)
	}
	p.Section("environment")
	p.Text("None is read by nodewatch-ceph; librados reads CEPH_CONF.")
	p.Section("files")
	p.Item("/etc/ceph/ceph.conf", "", "Ceph's configuration.")
	p.Item("/etc/ceph/ceph.client.nodewatch.keyring", "", "The key of the user client.nodewatch.")
	p.Section("examples")
	p.Text("Print the cluster's view, and the watchers of an image:")
	p.Code("nodewatch-ceph --image vms/vm-101-disk-0 --addr 192.0.2.7 | jq .health")
	p.SeeAlso("nodewatch(1)", "nodewatch.yml(5)", "ceph(8)")
	if *update {
		if err := os.WriteFile(file, []byte(p.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.String(), string(raw)); diff != "" {
		t.Errorf("%s is stale; make docs writes it (-command +file)\n%s", file, diff)
	}
}
