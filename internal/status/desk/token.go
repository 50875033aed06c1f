package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A NewToken describes a token to create.
type NewToken struct {
	Kind     string
	Subject  string
	Label    string        // name of an API token in the audit log
	Lifetime time.Duration // 0: one hour for a join token, no limit for others
}

// MaxLifetime is the longest lifetime of a token.
const MaxLifetime = 10 * 365 * 24 * time.Hour

// The maximum lengths of a token's texts, in bytes.
const (
	maxSubject = 256
	maxLabel   = 200
)

// IssueToken creates a token. Only this call returns the secret.
func (d Desk) IssueToken(ctx context.Context, tx *store.Tx, n NewToken) (secret string, k store.Token, err error) {
	k = store.Token{Kind: n.Kind, Subject: strings.TrimSpace(n.Subject), Label: strings.Join(strings.Fields(n.Label), " "), Created: d.Now,
		CreatedBy: d.Who}
	if err := choice("The kind", k.Kind, store.TokenKinds()); err != nil {
		return "", k, err
	}
	switch {
	case k.Kind == store.APIToken:
		if err := choice("The subject of a token of kind api is its role: it", k.Subject, store.Roles()); err != nil {
			return "", k, err
		}
		if k.Label == "" {
			return "", k, wrong("A token of kind api needs a label: it is its name in the audit log.")
		}
	case k.Kind != store.AlertmanagerToken && k.Subject == "":
		return "", k, wrong("A token of kind %s needs what it is for: a node (SITE/NODE), a pattern of nodes (SITE/*), or a component.", k.Kind)
	}
	switch {
	case len(k.Subject) > maxSubject:
		return "", k, wrong("The subject has more than %d bytes.", maxSubject)
	case len(k.Label) > maxLabel:
		return "", k, wrong("The label has more than %d bytes.", maxLabel)
	case n.Lifetime < 0 || n.Lifetime > MaxLifetime:
		return "", k, wrong("The lifetime must be at most %d hours, and not negative.", MaxLifetime/time.Hour)
	case n.Lifetime > 0:
		k.Expires = d.Now.Add(n.Lifetime)
	case k.Kind == store.JoinToken:
		k.Expires = d.Now.Add(time.Hour)
	}
	secret = store.NewSecret()
	if err := tx.IssueToken(ctx, secret, k); err != nil {
		if errors.Is(err, store.ErrTooMany) {
			err = Conflict(err.Error() + ".")
		}
		return "", k, err
	}
	k, _, err = tx.TokenOf(ctx, secret)
	return secret, k, err
}

// RevokeToken revokes a token at once.
func (d Desk) RevokeToken(ctx context.Context, tx *store.Tx, id int64) error {
	done, err := tx.RevokeToken(ctx, id, d.Now)
	if err == nil && !done {
		err = Conflict(fmt.Sprintf("There is no valid token %d.", id))
	}
	if err != nil {
		return err
	}
	e := d.entry("token.revoke")
	e.Subject = fmt.Sprint(id)
	return tx.Audit(ctx, e)
}
