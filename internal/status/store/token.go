package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The kinds of tokens.
const (
	NodeToken         = "node"         // reports for one node
	JoinToken         = "join"         // issues nodes their own tokens
	PushToken         = "push"         // pushes the state of one component
	AlertmanagerToken = "alertmanager" // delivers alerts
	APIToken          = "api"          // uses the API
)

// TokenKinds returns all kinds of tokens.
func TokenKinds() []string {
	return []string{NodeToken, JoinToken, PushToken, AlertmanagerToken, APIToken}
}

// TokenPrefix is the prefix of every token, by which a leaked one is recognised.
const TokenPrefix = "nws_"

// A Token is the stored data of a token, without its secret.
type Token struct {
	ID        int64
	Kind      string
	Subject   string // node token: the node's key; join token: a pattern of keys; push token: the component; API token: the role
	Label     string
	Created   time.Time
	CreatedBy string
	Expires   time.Time // zero: never
	Revoked   time.Time // zero: it is valid
	Used      time.Time // time of the last successful request with it, to the minute; zero: never
}

// Valid reports whether the token is valid at the time.
func (k Token) Valid(now time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
}

// owner returns the owner of the token.
func (k Token) owner() string {
	if k.Kind == APIToken {
		return k.Label
	}
	return k.Subject
}

// NewSecret returns a new secret of 256 bits.
func NewSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(raw[:])
}

// addToken stores a token with only the hash of its secret.
func (t *Tx) addToken(ctx context.Context, secret string, k Token) (id int64, err error) {
	hash := sha256.Sum256([]byte(secret))
	_, err = t.one(ctx, []any{&id},
		`INSERT INTO token (kind, hash, subject, label, created, created_by, expires) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
		k.Kind, hash[:], k.Subject, k.Label, millis(k.Created), k.CreatedBy, optional(k.Expires))
	return id, err
}

// TokenOf returns the token with the secret; false: there is none.
func (t *Tx) TokenOf(ctx context.Context, secret string) (Token, bool, error) {
	hash := sha256.Sum256([]byte(secret))
	list, err := t.tokens(ctx, `WHERE hash = $1`, hash[:])
	if err != nil || len(list) == 0 {
		return Token{}, false, err
	}
	return list[0], true, nil
}

// Tokens returns all tokens, the newest first.
func (t *Tx) Tokens(ctx context.Context) ([]Token, error) {
	return t.tokens(ctx, `ORDER BY created DESC, id DESC`)
}

// TokensFor returns the tokens of a kind for a subject, the newest first.
func (t *Tx) TokensFor(ctx context.Context, kind, subject string) ([]Token, error) {
	return t.tokens(ctx, `WHERE kind = $1 AND subject = $2 ORDER BY created DESC, id DESC`, kind, subject)
}

func (t *Tx) tokens(ctx context.Context, which string, args ...any) (list []Token, err error) {
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			k                      Token
			created                int64
			expires, revoked, used sql.NullInt64
		)
		if err := r.Scan(&k.ID, &k.Kind, &k.Subject, &k.Label, &created, &k.CreatedBy, &expires, &revoked, &used); err != nil {
			return err
		}
		k.Created, k.Expires, k.Revoked, k.Used = at(created), maybe(expires), maybe(revoked), maybe(used)
		list = append(list, k)
		return nil
	}, `SELECT id, kind, subject, label, created, created_by, expires, revoked, used FROM token `+which, args...)
	return list, err
}

// RevokeToken revokes a token; false: there is no valid one with the number.
func (t *Tx) RevokeToken(ctx context.Context, id int64, now time.Time) (bool, error) {
	n, err := t.exec(ctx, `UPDATE token SET revoked = $2 WHERE id = $1 AND revoked IS NULL`, id, millis(now))
	return n > 0, err
}

// usedEvery is the resolution of a token's last use, so that not every request writes
// it.
const usedEvery = time.Minute

// UseNoted reports whether a use of the token at the time need not be recorded, because
// a use less than a minute earlier is.
func (k Token) UseNoted(now time.Time) bool { return now.Sub(k.Used) < usedEvery }

// UseToken records the use of a token, unless UseNoted.
func (t *Tx) UseToken(ctx context.Context, k Token, now time.Time) error {
	if k.UseNoted(now) {
		return nil
	}
	_, err := t.exec(ctx, `UPDATE token SET used = $2 WHERE id = $1 AND (used IS NULL OR used < $2)`, k.ID, millis(now))
	return err
}

// maxValid is the maximum number of valid tokens of a node or component, or of one
// name for the API. It allows replacing a token without a gap.
const maxValid = 2

// ErrTooMany is the error of issuing a token when maxValid tokens are valid.
var ErrTooMany = errors.New("revoke one first")

// IssueToken stores a new token and adds an entry to the audit log. Its error is
// ErrTooMany if maxValid tokens are valid.
func (t *Tx) IssueToken(ctx context.Context, secret string, k Token) error {
	if k.Kind == NodeToken || k.Kind == PushToken || k.Kind == APIToken {
		column := "subject"
		if k.Kind == APIToken {
			column = "label"
		}
		list, err := t.tokens(ctx, `WHERE kind = $1 AND `+column+` = $2 ORDER BY created DESC, id DESC`, k.Kind, k.owner())
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(other Token) bool { return !other.Valid(k.Created) })
		if len(list) >= maxValid {
			return fmt.Errorf("%d tokens of %s are valid, which is the most; %w (token %d is the older one)", len(list), k.owner(),
				ErrTooMany, list[len(list)-1].ID)
		}
	}
	id, err := t.addToken(ctx, secret, k)
	if err != nil {
		return err
	}
	return t.Audit(ctx, Entry{At: k.Created, Who: k.CreatedBy, Action: "token.create", Subject: fmt.Sprint(id),
		Detail: k.Kind + " " + k.Subject})
}
