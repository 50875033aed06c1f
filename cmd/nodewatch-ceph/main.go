// Command nodewatch-ceph queries a Ceph cluster once, prints the result as one JSON
// document (ceph.Cluster of pkg/ceph), and exits. nodewatch runs it as a child,
// because a call of librados may never return; it can also be run by hand.
//
// It only reads: it writes nothing to the cluster or to a disk, takes no lock and
// watches no image. It includes librados if built with the tags ceph and pacific;
// otherwise it ends with an exit code that reports this.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/pkg/ceph"
)

func main() {
	stdout, err := prepare()
	if err != nil {
		os.Exit(fail(os.Stderr, ceph.ExitFailed, err))
	}
	os.Exit(run(os.Args[1:], os.Stdin, stdout, os.Stderr))
}

// prepare reserves standard output for the document: librados itself prints there if
// the name of a monitor cannot be resolved, and is redirected to standard error. It
// also disables core dumps, which would write the key to a disk.
func prepare() (stdout *os.File, err error) {
	own, err := syscall.Dup(syscall.Stdout)
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	if err := syscall.Dup3(syscall.Stderr, syscall.Stdout, 0); err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return nil, fmt.Errorf("no core dumps: %w", err)
	}
	return os.NewFile(uintptr(own), "document"), nil
}

// run executes the program and returns its exit code, unless the alarm ends the process
// first.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	req, err := parseArgs(args, stdin)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return printText(help(), stdout, stderr)
	case errors.Is(err, errVersion):
		return printText(buildinfo.Read().Text("nodewatch-ceph")+"\n", stdout, stderr)
	case err != nil:
		return fail(stderr, ceph.ExitUsage, err)
	}
	began := time.Now()
	alarm := setAlarm(req.Timeout, stderr, os.Exit)
	defer alarm.stop()

	c, err := ask(req, alarm.reach, func() time.Duration { return req.Timeout - time.Since(began) })
	switch {
	case errors.Is(err, ceph.ErrWithout):
		return fail(stderr, ceph.ExitWithout,
			errors.New("built without librados; install librados-dev and librbd-dev, and build with -tags ceph,pacific"))
	case errors.Is(err, fs.ErrPermission):
		return fail(stderr, ceph.ExitDenied, err)
	case err != nil:
		return fail(stderr, ceph.ExitFailed, err)
	}
	alarm.reach("print")
	return printDocument(c, stdout, stderr)
}

// ask connects and gathers. It returns an error if the cluster returned no data.
func ask(req ceph.Request, reach func(step string), left func() time.Duration) (ceph.Cluster, error) {
	reach("connect")
	began := left()
	c, err := connect(req)
	if err != nil {
		return ceph.Cluster{}, err
	}
	doc := gather(c, req, reach, left)
	doc.Took = began - left()
	if doc.FSID == "" || doc.Health.Status == "" && doc.OSDMap.Epoch == 0 {
		return ceph.Cluster{}, errors.New(doc.Errors[0])
	}
	return doc, nil
}

// printDocument prints the document in one write.
func printDocument(doc ceph.Cluster, stdout, stderr io.Writer) int {
	b, err := json.Marshal(doc)
	if err == nil && len(b) >= ceph.MaxDocument {
		err = fmt.Errorf("the document has %d bytes, more than %d", len(b), ceph.MaxDocument)
	}
	if err == nil {
		_, err = stdout.Write(append(b, '\n'))
	}
	if err != nil {
		return fail(stderr, ceph.ExitFailed, err)
	}
	return ceph.ExitOK
}

// printText prints a text other than the document.
func printText(text string, stdout, stderr io.Writer) int {
	if _, err := io.WriteString(stdout, text); err != nil {
		return fail(stderr, ceph.ExitFailed, err)
	}
	return ceph.ExitOK
}

// fail prints an error in one line.
func fail(stderr io.Writer, code int, err error) int {
	fmt.Fprintf(stderr, "nodewatch-ceph: %v\n", err)
	return code
}
