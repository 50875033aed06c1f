package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/pkg/wish"
)

// stateHome is the state directory where neither the configuration nor systemd
// names one: the one that systemd/nodewatch.service makes.
const stateHome = "/var/lib/nodewatch"

// stateDirectory is where operators' wishes are, and what reporters must not forget.
func stateDirectory(c config.Config) string {
	if c.State != "" {
		return c.State
	}
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	return stateHome
}

// lasting is the state directory if it is there, and empty if it is not: then
// nothing outlives the run.
func lasting(c config.Config) string {
	dir := stateDirectory(c)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return dir
}

// wishes reads what operators wish.
func wishes(dir string) func(context.Context) (wish.Wishes, error) {
	return func(ctx context.Context) (wish.Wishes, error) { return wish.Read(ctx, dir) }
}
