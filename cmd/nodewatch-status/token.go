package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

const tokenHelp = "Tokens for nodes and other reporting clients."

func (p program) tokenCreate(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "token", tokenHelp, "create", "Create a token and print it. It is shown once; only its hash is kept.")
	file := configFlag(cmd)
	kind := cmd.Flag("kind", "node: reports of one node. join: lets nodes get their own token. push: state of one component. alertmanager: alerts. api: the operators' API.").Default(store.NodeToken).Enum(store.TokenKinds()...)
	lifetime := cmd.Flag("lifetime", "Lifetime; 0: until it is revoked. Default for a join token: 1h.").Default("0s").Duration()
	label := cmd.Flag("label", "A note for operators; for kind api also its name in the audit log.").String()
	subject := cmd.Arg("subject", "The node (SITE/NODE), a pattern of nodes for a join token (SITE/*), the component, or the role for kind api (viewer, operator, admin).").String()
	return cmd, func(ctx context.Context) int {
		secret := ""
		code := p.within(ctx, *file, func(o open) error {
			return o.store.Update(ctx, func(tx *store.Tx) (err error) {
				n := desk.NewToken{Kind: *kind, Subject: *subject, Label: *label, Lifetime: *lifetime}
				secret, _, err = o.IssueToken(ctx, tx, n)
				return err
			})
		})
		if code == exitOK {
			fmt.Fprintln(p.out, secret)
		}
		return code
	}
}

func (p program) tokenList(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "token", tokenHelp, "list", "List all tokens, without the secrets.")
	file := configFlag(cmd)
	return cmd, func(ctx context.Context) int {
		var list []store.Token
		code := p.withStore(ctx, *file, func(s *store.Store) error {
			return s.View(ctx, func(tx *store.Tx) (err error) {
				list, err = tx.Tokens(ctx)
				return err
			})
		})
		if code != exitOK {
			return code
		}
		w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tKIND\tSUBJECT\tSTATE\tLAST USED\tCREATED\tBY\tLABEL")
		now := time.Now()
		for _, k := range list {
			state := "valid"
			switch {
			case !k.Revoked.IsZero():
				state = "revoked"
			case !k.Valid(now):
				state = "expired"
			}
			used := "never"
			if !k.Used.IsZero() {
				used = k.Used.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Kind, k.Subject, state, used, k.Created.Format(time.RFC3339),
				k.CreatedBy, k.Label)
		}
		if err := w.Flush(); err != nil {
			return exitFailure
		}
		return exitOK
	}
}

func (p program) tokenRevoke(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "token", tokenHelp, "revoke", "Revoke a token at once.")
	file := configFlag(cmd)
	id := cmd.Arg("id", "Its number, as token list shows it.").Required().Int64()
	return cmd, func(ctx context.Context) int {
		return p.withStore(ctx, *file, func(s *store.Store) error {
			return s.Update(ctx, func(tx *store.Tx) error {
				err := desk.Desk{Who: caller(), Now: time.Now()}.RevokeToken(ctx, tx, *id)
				if no, is := errors.AsType[desk.Conflict](err); is {
					return fmt.Errorf("%w See nodewatch-status token list", no)
				}
				return err
			})
		})
	}
}

// caller returns the user who runs the command, for the audit log.
func caller() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}
