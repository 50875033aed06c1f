package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// sessionFor is the lifetime of a session.
const sessionFor = 12 * time.Hour

// cookieName is the name of the session cookie; with TLS it has the prefix __Host-.
const cookieName = "nodewatch_session"

// A visitor is the sender of a request.
type visitor struct {
	Name   string
	Role   string
	Local  bool   // no operator can sign in yet, and the request comes from this machine
	secret string // the session's secret
}

// CSRF returns the token that the visitor's forms must contain.
func (v visitor) CSRF() string {
	sum := sha256.Sum256([]byte("csrf:" + v.secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// May reports whether the visitor has the rights of a role.
func (v visitor) May(role string) bool {
	return store.May(v.Role, role)
}

// sees reports whether the visitor may read something that was published at a time.
// The zero time means a draft, which only operators who have signed in may read.
func (v visitor) sees(published time.Time) bool { return !v.Local || !published.IsZero() }

// visitor returns the sender of a request. A visitor without a name and a role must
// sign in.
func (a *Admin) visitor(w http.ResponseWriter, q *http.Request) (visitor, error) {
	secret := ""
	if c, err := q.Cookie(a.cookieName(q)); err == nil {
		secret = c.Value
	}
	proxied, by := a.proxied(q)
	var (
		o     store.Operator
		found bool
		first bool // there is no operator yet
	)
	err := a.store.View(q.Context(), func(tx *store.Tx) (err error) {
		if secret != "" {
			if o, found, err = tx.SessionOf(q.Context(), secret, a.now()); err != nil || found {
				return err
			}
		}
		all, err := tx.Operators(q.Context())
		first = len(all) == 0
		return err
	})
	switch {
	case err != nil:
		return visitor{}, err
	case found && (!by || proxied == o.Name):
		return visitor{Name: o.Name, Role: o.Role, secret: secret}, nil
	case by:
		return a.begin(w, q, proxied)
	case first && local(q):
		return visitor{Name: "local", Role: store.Viewer, Local: true}, nil
	}
	return visitor{}, nil
}

// proxied returns the operator named by a trusted proxy; false: no proxy named one. A
// header with no name, or with several, counts as an unknown operator.
func (a *Admin) proxied(q *http.Request) (name string, is bool) {
	p := a.config().Operators.Proxy
	if p.Header == "" {
		return "", false
	}
	from, err := netip.ParseAddrPort(q.RemoteAddr)
	names := q.Header.Values(p.Header)
	if err != nil || len(names) == 0 || !p.Trusts(from.Addr()) {
		return "", false
	}
	if len(names) > 1 {
		return "", true
	}
	return names[0], true
}

// local reports whether a request was made on this machine and addressed to it: not
// through a proxy, and not by a host name that the page of another site made up.
func local(q *http.Request) bool {
	from, err := netip.ParseAddrPort(q.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	for _, sign := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if q.Header.Get(sign) != "" {
			return false
		}
	}
	if asked, err := netip.ParseAddrPort(q.Host); err == nil {
		return asked.Addr().Unmap().IsLoopback()
	}
	return hostname(q.Host) == "localhost"
}

// begin starts a session of an operator. The visitor has no name if there is no such
// operator.
func (a *Admin) begin(w http.ResponseWriter, q *http.Request, name string) (visitor, error) {
	v := visitor{}
	err := a.store.Update(q.Context(), func(tx *store.Tx) error {
		o, found, err := tx.OperatorNamed(q.Context(), name)
		if err != nil || !found {
			return err
		}
		v = visitor{Name: o.Name, Role: o.Role, secret: store.NewSecret()}
		now := a.now()
		if err := tx.StartSession(q.Context(), v.secret, o.ID, now, now.Add(sessionFor)); err != nil {
			return err
		}
		return tx.Audit(q.Context(), store.Entry{At: now, Who: o.Name, Action: "operator.sign-in", Subject: o.Name, Detail: address(q)})
	})
	if err != nil {
		return visitor{}, err
	}
	if v.Name == "" {
		a.signIns.failed.Add(1)
		return visitor{}, nil
	}
	a.signIns.succeeded.Add(1)
	a.setCookie(w, q, v.secret, int(sessionFor/time.Second))
	return v, nil
}

func (a *Admin) setCookie(w http.ResponseWriter, q *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: a.cookieName(q), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: a.secure(q),
		SameSite: http.SameSiteStrictMode})
}

func (a *Admin) cookieName(q *http.Request) string {
	if a.secure(q) {
		return "__Host-" + cookieName
	}
	return cookieName
}

// secure reports whether the browser uses TLS, to the hub or to a proxy. A client that
// forges the header only makes its own cookie stricter.
func (a *Admin) secure(q *http.Request) bool {
	return q.TLS != nil || q.Header.Get("X-Forwarded-Proto") == "https"
}

// signIns counts sign-in attempts.
type signIns struct{ succeeded, failed, limited atomic.Uint64 }

// A SignIns contains the numbers of sign-in attempts that succeeded, that had a wrong
// name or password, and that were too frequent to be checked.
type SignIns struct{ Succeeded, Failed, Limited uint64 }

// SignIns returns the numbers of sign-in attempts since the start.
func (a *Admin) SignIns() SignIns {
	return SignIns{Succeeded: a.signIns.succeeded.Load(), Failed: a.signIns.failed.Load(), Limited: a.signIns.limited.Load()}
}

// The errors of signing in.
var (
	errWrong = errors.New("wrong name or password")
	errOften = errors.New("too many attempts to sign in")
)

// signIn checks a password. Unknown names take as long as known ones.
func (a *Admin) signIn(ctx context.Context, name, password, from string) error {
	// Both count the attempt, whatever the other returns.
	if address, named := a.attempts.Allow("address "+from, a.now()), a.attempts.Allow("name "+name, a.now()); !address || !named {
		return errOften
	}
	if len(password) > MaxPassword {
		return errWrong
	}
	var o store.Operator
	if err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		o, _, err = tx.OperatorNamed(ctx, name)
		return err
	}); err != nil {
		return err
	}
	hash := o.Password
	if hash == "" {
		hash = a.nobody
	}
	select {
	case a.hashing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	ok, err := verify(hash, password)
	<-a.hashing
	if err != nil {
		return err
	}
	if !ok || o.Password == "" {
		return errWrong
	}
	return nil
}

// The limit of sign-in attempts from one address and with one name: five at once,
// then one every 12 s.
const (
	attemptsPerSecond = 1.0 / 12
	attemptBurst      = 5
	maxAttempts       = 10000 // addresses and names kept in memory
)

// sameSite reports whether a form was made for this visitor.
func sameSite(v visitor, token string) bool {
	return v.secret != "" && subtle.ConstantTimeCompare([]byte(v.CSRF()), []byte(token)) == 1
}
