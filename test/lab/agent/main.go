// Command agent runs in the lab's guest: it executes the test's requests from a
// virtio-serial port, until the guest ends. With arguments it does one thing and
// exits: `agent sample` writes the kernel's files as a tar archive, `agent kmsg` its
// log, `agent send LINK FILE` sends frames unchanged.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/test/lab/call"
)

func main() {
	if len(os.Args) > 1 {
		if err := once(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		return
	}
	line, err := open()
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "agent:", serve(line))
	os.Exit(1)
}

func once(args []string) error {
	switch {
	case args[0] == "sample" && len(args) == 1:
		return sample(os.Stdout)
	case args[0] == "kmsg" && len(args) == 1:
		return kernelLog(os.Stdout)
	case args[0] == "send" && len(args) == 3:
		return send(args[1], args[2])
	}
	return fmt.Errorf("cannot do %q", args)
}

// open opens the port by its name; without udev only sysfs contains the name.
func open() (*os.File, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return nil, err
	}
	for _, path := range names {
		if name, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(name)) == call.Port {
			device := "/dev/" + filepath.Base(filepath.Dir(path))
			// Blocking: after an end of file, which a port without a host returns, Go's poller
			// would never wake up again.
			fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", device, err)
			}
			return os.NewFile(uintptr(fd), device), nil
		}
	}
	return nil, fmt.Errorf("no virtio port %s", call.Port)
}

// serve responds to requests until the line breaks, and returns the reason. Each
// request has its own goroutine: some hang as long as their disk does.
func serve(line io.ReadWriter) error {
	var turn sync.Mutex
	for {
		var r call.Request
		if err := call.Read(line, &r); errors.Is(err, io.EOF) {
			time.Sleep(100 * time.Millisecond) // the other end is not connected
			continue
		} else if err != nil {
			return err
		}
		began := time.Now()
		go func() {
			a := answer(r)
			a.ID, a.Began = r.ID, began
			turn.Lock()
			defer turn.Unlock()
			if err := call.Write(line, a); err != nil {
				fmt.Fprintln(os.Stderr, "agent:", err)
			}
		}()
	}
}

func answer(r call.Request) call.Answer {
	switch {
	case r.Run != nil:
		return run(*r.Run)
	case r.Get != "":
		return get(r.Get)
	case r.Put != nil:
		if err := put(*r.Put); err != nil {
			return call.Answer{Error: err.Error()}
		}
		return call.Answer{}
	}
	return call.Answer{Error: "nothing was asked for"}
}

func run(r call.Run) call.Answer {
	if len(r.Argv) == 0 {
		return call.Answer{Error: "no command"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.Seconds)*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Argv[0], r.Argv[1:]...)
	cmd.WaitDelay = time.Second
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	var err error
	select {
	case err = <-done:
	case <-time.After(time.Duration(r.Seconds+2) * time.Second):
		return call.Answer{Error: fmt.Sprintf("cannot be killed after %d s", r.Seconds)} // uninterruptible sleep
	}
	a := call.Answer{Out: out.Bytes(), Err: bad.Bytes()}
	exit := (*exec.ExitError)(nil)
	switch {
	case ctx.Err() != nil:
		a.Error = fmt.Sprintf("not done after %d s", r.Seconds)
	case errors.As(err, &exit):
		a.Code = exit.ExitCode()
	case err != nil:
		a.Error = err.Error()
	}
	return a
}

func get(url string) call.Answer {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return call.Answer{Error: err.Error()}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return call.Answer{Error: err.Error()}
	}
	return call.Answer{Code: resp.StatusCode, Out: body}
}

// put writes a file atomically, so that readers see all of it or nothing.
func put(f call.File) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(f.Path+".new", f.Body, os.FileMode(f.Mode)); err != nil {
		return err
	}
	return os.Rename(f.Path+".new", f.Path)
}
