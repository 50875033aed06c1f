package store

import (
	"context"
	"time"
)

// A Request is the stored part of a changing request to the API.
type Request struct {
	Token  int64  // the number of its token
	Key    string // identifies it if it is sent again
	Digest []byte // digest of its content
	At     time.Time
	Shows  string // the path of the resource that it created or changed
}

// requestsFor is how long a request is kept.
const requestsFor = 24 * time.Hour

// ClaimRequest stores a new request. Otherwise it returns the earlier one with the
// same token and key. Until the transaction ends, another hub with the same request
// waits.
func (t *Tx) ClaimRequest(ctx context.Context, r Request) (earlier Request, claimed bool, err error) {
	if _, err := t.exec(ctx, `DELETE FROM api_request WHERE token_id = $1 AND at <= $2`, r.Token,
		millis(r.At.Add(-requestsFor))); err != nil {
		return r, false, err
	}
	n, err := t.exec(ctx, `INSERT INTO api_request (token_id, key, digest, at, shows) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (token_id, key) DO NOTHING`,
		r.Token, r.Key, r.Digest, millis(r.At), r.Shows)
	if err != nil || n > 0 {
		return r, true, err
	}
	var ms int64
	_, err = t.one(ctx, []any{&r.Digest, &ms, &r.Shows}, `SELECT digest, at, shows FROM api_request WHERE token_id = $1 AND key = $2`,
		r.Token, r.Key)
	r.At = at(ms)
	return r, false, err
}

// RequestShows stores the path of the resource that a request created or changed.
func (t *Tx) RequestShows(ctx context.Context, token int64, key, path string) error {
	_, err := t.exec(ctx, `UPDATE api_request SET shows = $3 WHERE token_id = $1 AND key = $2`, token, key, path)
	return err
}
