package main

import (
	"context"
	_ "embed"
	"io"

	"github.com/alecthomas/kingpin/v2"
)

// The completion scripts, which packages install as files.
var (
	//go:embed completion/nodewatch.bash
	bashCompletion string
	//go:embed completion/nodewatch.zsh
	zshCompletion string
	//go:embed completion/nodewatch.fish
	fishCompletion string
)

func (p program) completionCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("completion", "Print a completion script: eval \"$(nodewatch completion bash)\". Packages install it.")
	shell := cmd.Arg("shell", "bash, zsh or fish.").Required().Enum("bash", "zsh", "fish")
	return "completion", func(context.Context) int {
		_, _ = io.WriteString(p.out, map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[*shell])
		return exitOK
	}
}
