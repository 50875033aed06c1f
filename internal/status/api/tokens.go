package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A tokenView is a token in a response.
type tokenView struct {
	ID        int64      `json:"id"`
	Kind      string     `json:"kind"`
	Subject   string     `json:"subject"`
	Label     string     `json:"label"`
	Created   time.Time  `json:"created"`
	CreatedBy string     `json:"created_by"`
	Expires   *time.Time `json:"expires"`
	Revoked   *time.Time `json:"revoked"`
	Used      *time.Time `json:"used"`
	Valid     bool       `json:"valid"`
	Secret    string     `json:"secret,omitempty"` // only in the response that creates the token
}

func (c *call) viewToken(k store.Token) tokenView {
	return tokenView{k.ID, k.Kind, k.Subject, k.Label, k.Created, k.CreatedBy, optional(k.Expires), optional(k.Revoked), optional(k.Used),
		k.Valid(c.Now), ""}
}

func (a *API) tokens(c *call) (answer, error) {
	p, err := c.page()
	if err != nil {
		return answer{}, err
	}
	list, err := c.tx.Tokens(c.ctx)
	views := []tokenView{}
	for _, k := range cut(list, p) {
		views = append(views, c.viewToken(k))
	}
	return found(struct {
		Tokens []tokenView `json:"tokens"`
		Total  int         `json:"total"`
	}{views, len(list)}, ""), err
}

// showToken returns a token without its secret.
func showToken(c *call, number string) (answer, error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return answer{}, store.ErrNotFound
	}
	list, err := c.tx.Tokens(c.ctx)
	if err != nil {
		return answer{}, err
	}
	for _, k := range list {
		if k.ID == id {
			return found(c.viewToken(k), fmt.Sprintf("/tokens/%d", id)), nil
		}
	}
	return answer{}, store.ErrNotFound
}

func (a *API) token(c *call) (answer, error) { return showToken(c, c.path("id")) }

// createToken creates a token. The response to a repeated request lacks the secret,
// which is not stored.
func (a *API) createToken(c *call) (answer, error) {
	var in struct {
		Kind     string `json:"kind"`
		Subject  string `json:"subject"`
		Label    string `json:"label"`
		Lifetime int64  `json:"lifetime_s"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	lifetime := time.Duration(min(max(in.Lifetime, -1), int64(desk.MaxLifetime/time.Second)+1)) * time.Second
	secret, k, err := c.IssueToken(c.ctx, c.tx, desk.NewToken{Kind: in.Kind, Subject: in.Subject, Label: in.Label, Lifetime: lifetime})
	v := c.viewToken(k)
	v.Secret = secret
	return made(v, fmt.Sprintf("/tokens/%d", k.ID)), err
}

func (a *API) revokeToken(c *call) (answer, error) {
	out, err := showToken(c, c.path("id"))
	if err != nil {
		return out, err
	}
	id, _ := strconv.ParseInt(c.path("id"), 10, 64) // valid, because showToken has found the token
	if err := c.RevokeToken(c.ctx, c.tx, id); err != nil {
		return out, err
	}
	return showToken(c, c.path("id"))
}

// An entryView is an audit log entry in a response.
type entryView struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
}

// audit lists the audit log, the newest entries first.
func (a *API) audit(c *call) (answer, error) {
	limit, err := c.number("limit", 1, maxLimit, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	before := int64(0)
	if text := c.q.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return answer{}, refusal{http.StatusBadRequest, "before must be the number of an entry."}
		}
	}
	list, err := c.tx.AuditLog(c.ctx, before, limit)
	out := struct {
		Entries []entryView `json:"entries"`
		Next    *int64      `json:"next"` // before, for the entries that follow; null: these are the oldest
	}{Entries: []entryView{}}
	for _, e := range list {
		out.Entries = append(out.Entries, entryView(e))
	}
	if len(list) == limit {
		out.Next = &list[limit-1].ID
	}
	return found(out, ""), err
}
