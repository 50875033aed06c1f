package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/ceph"
)

// errVersion means that the version was requested.
var errVersion = errors.New("version")

// parseArgs builds a request from the command line or standard input.
func parseArgs(args []string, stdin io.Reader) (ceph.Request, error) {
	var req ceph.Request
	flags, fromStdin, version := newFlags(&req)
	if err := flags.Parse(args); err != nil {
		return req, err
	}
	if *version {
		return req, errVersion
	}
	if flags.NArg() > 0 {
		return req, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if _, odd := req.Fit(); len(odd) > 0 {
		return req, errors.New(odd[0])
	}
	if *fromStdin {
		if flags.NFlag() > 1 {
			return req, errors.New("--stdin excludes all other flags")
		}
		b, err := io.ReadAll(io.LimitReader(stdin, ceph.MaxRequest+1))
		if err != nil {
			return req, err
		}
		if req, err = ceph.ParseRequest(b); err != nil {
			return req, err
		}
	}
	if req.Timeout == 0 {
		req.Timeout = ceph.DefaultTimeout
	}
	if req.Cluster == "" {
		req.Cluster = "ceph"
	}
	if req.Name == "" {
		req.Name = "client.nodewatch"
	}
	return req, req.Check()
}

// newFlags returns the flags, which fill req.
func newFlags(req *ceph.Request) (flags *flag.FlagSet, fromStdin, version *bool) {
	flags = flag.NewFlagSet("nodewatch-ceph", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&req.Conf, "conf", "", "configuration `FILE` (default: librados' default, /etc/ceph/ceph.conf)")
	flags.StringVar(&req.MonHost, "mon-host", "", "`ADDRESSES` of the monitors, instead of a configuration file")
	flags.StringVar(&req.Cluster, "cluster", "", "`NAME` of the cluster (default: ceph)")
	flags.StringVar(&req.Name, "name", "", "`USER` to authenticate as (default: client.nodewatch)")
	flags.Func("id", "the user without the prefix client.: `ID`", func(id string) error {
		req.Name = "client." + id
		return nil
	})
	flags.StringVar(&req.Keyring, "keyring", "", "`FILE` with the user's key (default: librados' default)")
	flags.Func("image", fmt.Sprintf("`POOL[/NAMESPACE]/IMAGE` whose watchers to list; repeatable, at most %d", ceph.MaxImages),
		func(s string) error {
			i, err := ceph.ParseImage(s)
			req.Images = append(req.Images, i)
			return err
		})
	flags.Func("addr", "`IP` of this host to look for in the blocklist; repeatable", func(s string) error {
		req.Addrs = append(req.Addrs, s)
		return nil
	})
	flags.DurationVar(&req.Timeout, "timeout", 0, fmt.Sprintf("`TIME` after which the process exits in any case, %s to %s (default: %s)",
		ceph.MinTimeout, ceph.MaxTimeout, ceph.DefaultTimeout))
	fromStdin = flags.Bool("stdin", false, "read the request as JSON from standard input instead")
	version = flags.Bool("version", false, "print version, revision, date, Go and platform")
	return flags, fromStdin, version
}

// help returns the text of --help.
func help() string {
	flags, _, _ := newFlags(&ceph.Request{})
	var b strings.Builder
	b.WriteString("nodewatch-ceph queries a Ceph cluster once and prints the answers as JSON.\n\nFlags:\n")
	flags.VisitAll(func(f *flag.Flag) {
		name, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %s\n        %s\n", strings.TrimSpace("--"+f.Name+" "+name), usage)
	})
	fmt.Fprintf(&b, "\nExit codes: %d a document was printed, %d failed, %d invalid request, %d timeout, %d built without librados, %d access denied.\n",
		ceph.ExitOK, ceph.ExitFailed, ceph.ExitUsage, ceph.ExitAlarm, ceph.ExitWithout, ceph.ExitDenied)
	return b.String()
}
