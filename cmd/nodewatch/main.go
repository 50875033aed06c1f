// Command nodewatch watches the storage path of a Ceph/KVM hypervisor.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/nodewatch/nodewatch/internal/launcher"
)

func main() {
	// The launcher and its helpers run the same binary, and need nothing of the rest.
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case launcher.ServeCommand:
			os.Exit(launcher.Serve(os.Args[2:]))
		case launcher.HelperCommand:
			os.Exit(launcher.Become(os.Args[2:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
