package admin

import (
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A tokensView is the data of the tokens page.
type tokensView struct {
	Tokens []store.Token
	Now    time.Time
	Secret string // secret of the new token; shown once
	Made   string // purpose of the new token
	Kinds  []string
}

func (a *Admin) tokensPage(p page) error { return a.showTokens(p, tokensView{}) }

func (a *Admin) showTokens(p page, v tokensView) error {
	v.Now, v.Kinds = a.now(), store.TokenKinds()
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		v.Tokens, err = tx.Tokens(p.q.Context())
		return err
	}); err != nil {
		return err
	}
	return a.show(p, "tokens.html", "Tokens", v)
}

// createToken creates a token and shows its secret, this once.
func (a *Admin) createToken(p page) error {
	n := desk.NewToken{Kind: p.q.PostFormValue("kind"), Subject: p.q.PostFormValue("subject"), Label: p.q.PostFormValue("label")}
	if hours := strings.TrimSpace(p.q.PostFormValue("hours")); hours != "" {
		most := int(desk.MaxLifetime / time.Hour)
		x, err := strconv.Atoi(hours)
		if err != nil || x < 1 || x > most {
			return wrong("The lifetime must be a number of hours from 1 to %d.", most)
		}
		n.Lifetime = time.Duration(x) * time.Hour
	}
	v := tokensView{}
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) error {
		secret, k, err := a.desk(p).IssueToken(p.q.Context(), tx, n)
		v.Secret, v.Made = secret, strings.TrimSpace(k.Kind+" "+k.Subject)
		return err
	}); err != nil {
		return err
	}
	return a.showTokens(p, v)
}

func (a *Admin) revokeToken(p page) error {
	id, err := strconv.ParseInt(p.q.PathValue("id"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) error { return a.desk(p).RevokeToken(p.q.Context(), tx, id) }); err != nil {
		return err
	}
	return p.back("/tokens")
}

// entries is the number of audit log entries on a page.
const entries = 200

func (a *Admin) auditPage(p page) error {
	before, _ := strconv.ParseInt(p.q.FormValue("before"), 10, 64) // 0: start at the latest entry
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
