package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/term"

	"github.com/nodewatch/nodewatch/internal/status/admin"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

const operatorHelp = "People who may sign in to the operators' pages."

// operatorName matches valid names, which are used in the audit log.
var operatorName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,63}$`)

// operatorCommand adds a command about one operator.
func operatorCommand(app *kingpin.Application, sub, help string) (cmd *kingpin.CmdClause, file, name *string) {
	cmd = subcommand(app, "operator", operatorHelp, sub, help)
	file = configFlag(cmd)
	name = cmd.Arg("name", "The operator's name.").Required().String()
	return cmd, file, name
}

// changeOperator executes a command's change, and adds it to the audit log. done is
// false if there is no such operator.
func (p program) changeOperator(ctx context.Context, file, action, name, detail string, change func(*store.Tx) (done bool, err error)) int {
	return p.withStore(ctx, file, func(s *store.Store) error {
		return s.Update(ctx, func(tx *store.Tx) error {
			done, err := change(tx)
			if err == nil && !done {
				err = fmt.Errorf("there is no operator %s; see nodewatch-status operator list", name)
			}
			if err != nil {
				return err
			}
			return tx.Audit(ctx, store.Entry{At: time.Now(), Who: caller(), Action: "operator." + action, Subject: name, Detail: detail})
		})
	})
}

func (p program) operatorAdd(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd, file, name := operatorCommand(app, "add", "Add an operator who can sign in. The password is read from a file or the terminal.")
	role := cmd.Flag("role", "viewer: sees the fleet. operator: also writes incidents and maintenance. admin: also manages tokens.").Default(store.Viewer).Enum(store.Roles()...)
	passwordFile := cmd.Flag("password-file", "A file whose first line is the password.").String()
	proxied := cmd.Flag("no-password", "The operator signs in through the trusted reverse proxy.").Bool()
	return cmd, func(ctx context.Context) int {
		if !operatorName.MatchString(*name) {
			return p.fail(exitUsage, fmt.Errorf("operator add: %q must be 1 to 64 letters, digits and . _ @ -", *name))
		}
		o := store.Operator{Name: *name, Role: *role, Created: time.Now()}
		if !*proxied {
			hash, err := p.newPassword(*passwordFile)
			if err != nil {
				return p.fail(exitUsage, fmt.Errorf("operator add: %w", err))
			}
			o.Password = hash
		}
		return p.changeOperator(ctx, *file, "add", *name, *role, func(tx *store.Tx) (bool, error) { return true, tx.AddOperator(ctx, o) })
	}
}

func (p program) operatorPassword(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd, file, name := operatorCommand(app, "passwd", "Change a password, and end all sessions. It is read from a file or the terminal.")
	passwordFile := cmd.Flag("password-file", "A file whose first line is the password.").String()
	return cmd, func(ctx context.Context) int {
		hash, err := p.newPassword(*passwordFile)
		if err != nil {
			return p.fail(exitUsage, fmt.Errorf("operator passwd: %w", err))
		}
		return p.changeOperator(ctx, *file, "passwd", *name, "", func(tx *store.Tx) (bool,
			error) {
			return tx.SetPassword(ctx, *name, hash)
		})
	}
}

func (p program) operatorRemove(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd, file, name := operatorCommand(app, "remove", "Remove an operator and end all sessions.")
	return cmd, func(ctx context.Context) int {
		return p.changeOperator(ctx, *file, "remove", *name, "", func(tx *store.Tx) (bool, error) { return tx.RemoveOperator(ctx, *name) })
	}
}

func (p program) operatorList(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "operator", operatorHelp, "list", "List all operators.")
	file := configFlag(cmd)
	return cmd, func(ctx context.Context) int {
		var list []store.Operator
		code := p.withStore(ctx, *file, func(s *store.Store) error {
			return s.View(ctx, func(tx *store.Tx) (err error) {
				list, err = tx.Operators(ctx)
				return err
			})
		})
		if code != exitOK {
			return code
		}
		w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tROLE\tCREATED\tSIGNS IN BY")
		for _, o := range list {
			by := "password"
			if o.Password == "" {
				by = "reverse proxy"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Name, o.Role, o.Created.Format(time.RFC3339), by)
		}
		if err := w.Flush(); err != nil {
			return exitFailure
		}
		return exitOK
	}
}

// newPassword returns the hash of a password that is read from a file or, twice, from
// the terminal.
func (p program) newPassword(file string) (string, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }() // only read
		raw, err := io.ReadAll(io.LimitReader(f, 2*admin.MaxPassword))
		if err != nil {
			return "", err
		}
		first, _, _ := strings.Cut(string(raw), "\n")
		return admin.HashPassword(strings.TrimSuffix(first, "\r"))
	}
	in, is := p.in.(*os.File)
	if !is || !term.IsTerminal(int(in.Fd())) {
		return "", errors.New("no terminal to read the password from; use --password-file")
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(p.err, prompt)
		raw, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(p.err)
		return string(raw), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	again, err := ask("Again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the passwords differ")
	}
	return admin.HashPassword(first)
}
