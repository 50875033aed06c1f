package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A tokensView is what the page of tokens shows.
type tokensView struct {
	Tokens []store.Token
	Now    time.Time
	Secret string // of the token just made; it is shown once
	Made   string // what that is for
	Kinds  []string
}

// kinds are those of tokens that operators make.
func kinds() []string {
	return []string{store.NodeToken, store.JoinToken, store.PushToken, store.AlertmanagerToken}
}

func (a *Admin) tokensPage(p page) error { return a.showTokens(p, tokensView{}) }

func (a *Admin) showTokens(p page, v tokensView) error {
	v.Now, v.Kinds = a.now(), kinds()
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		v.Tokens, err = tx.Tokens(p.q.Context())
		return err
	}); err != nil {
		return err
	}
	return a.show(p, "tokens.html", "Tokens", v)
}

// longest is the longest lifetime of a token.
const longest = 10 * 365 * 24 * time.Hour

// createToken makes a token and shows it, this once.
func (a *Admin) createToken(p page) error {
	now := a.now()
	k := store.Token{Kind: p.q.PostFormValue("kind"), Subject: strings.TrimSpace(p.q.PostFormValue("subject")), Label: short(p.q.PostFormValue("label"), 200), Created: now, CreatedBy: p.who.Name}
	hours := strings.TrimSpace(p.q.PostFormValue("hours"))
	if hours == "" && k.Kind == store.JoinToken {
		hours = "1"
	}
	switch n, err := strconv.Atoi(hours); {
	case !slices.Contains(kinds(), k.Kind):
		return wrong("The kind must be one of %s.", strings.Join(kinds(), ", "))
	case k.Kind != store.AlertmanagerToken && k.Subject == "", len(k.Subject) > 256:
		return wrong("A token of kind %s needs what it is for: a node (SITE/NODE), a pattern of nodes (SITE/*), or a component.", k.Kind)
	case hours != "" && (err != nil || n < 1 || time.Duration(n) > longest/time.Hour):
		return wrong("The lifetime must be a number of hours from 1 to %d.", longest/time.Hour)
	case hours != "":
		k.Expires = now.Add(time.Duration(n) * time.Hour)
	}
	secret := store.NewSecret()
	full := ""
	err := a.store.Update(p.q.Context(), func(tx *store.Tx) error {
		err := tx.IssueToken(p.q.Context(), secret, k)
		if err != nil && strings.Contains(err.Error(), "revoke one first") {
			full = err.Error()
		}
		return err
	})
	if full != "" {
		return wrong("%s.", full)
	}
	if err != nil {
		return err
	}
	return a.showTokens(p, tokensView{Secret: secret, Made: strings.TrimSpace(k.Kind + " " + k.Subject)})
}

func (a *Admin) revokeToken(p page) error {
	id, err := strconv.ParseInt(p.q.PathValue("id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	done := false
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) (err error) {
		if done, err = tx.RevokeToken(p.q.Context(), id, a.now()); err != nil || !done {
			return err
		}
		return tx.Audit(p.q.Context(), store.Entry{At: a.now(), Who: p.who.Name, Action: "token.revoke", Subject: fmt.Sprint(id)})
	}); err != nil {
		return err
	}
	if !done {
		return wrong("There is no valid token %d.", id)
	}
	return p.back("/tokens")
}

// entries is how many entries of the audit log a page has.
const entries = 200

func (a *Admin) auditPage(p page) error {
	before, _ := strconv.ParseInt(p.q.FormValue("before"), 10, 64) // 0: from the latest on
	data := struct {
		Entries []store.Entry
		Next    int64
	}{}
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		data.Entries, err = tx.AuditLog(p.q.Context(), max(before, 0), entries)
		return err
	}); err != nil {
		return err
	}
	if n := len(data.Entries); n == entries {
		data.Next = data.Entries[n-1].ID
	}
	return a.show(p, "audit.html", "Audit log", data)
}
