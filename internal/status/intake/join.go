package intake

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"regexp"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// nodeID matches ids of nodes, according to the schema of reports.
var nodeID = regexp.MustCompile(`^[!-~]{1,256}$`)

// errJoined is the error if a node already has a token.
var errJoined = errors.New("the node already has a valid token; an operator must revoke it first")

// join issues a node its own token in exchange for a join token: POST /v1/join with
// {"node": "SITE/NODE"}. It refuses a node that already has a token, so that a leaked
// join token cannot be used to impersonate existing nodes.
func (i *Intake) join(w http.ResponseWriter, q *http.Request) {
	now := i.config.Now()
	k, no := i.admitted(q, store.JoinToken, now)
	if no != nil {
		i.refuse(w, *no)
		return
	}
	raw, no := limited(q, maxPush)
	if no != nil {
		i.refuse(w, *no)
		return
	}
	var ask struct {
		Node string `json:"node"`
	}
	if err := json.Unmarshal(raw, &ask); err != nil || !nodeID.MatchString(ask.Node) {
		i.refuse(w, receiver.Refused{Code: http.StatusUnprocessableEntity,
			Refusal: native.Refusal{Error: `the body must be {"node": "SITE/NODE"}`}})
		return
	}
	if matches, err := path.Match(k.Subject, ask.Node); err != nil || !matches {
		i.refuse(w, receiver.Refused{Code: http.StatusForbidden, Refusal: native.Refusal{Error: "the join token is not for this node"}})
		return
	}
	secret := store.NewSecret()
	err := i.store.Update(q.Context(), func(tx *store.Tx) error {
		if err := tx.UseToken(q.Context(), k, now); err != nil {
			return err
		}
		list, err := tx.TokensFor(q.Context(), store.NodeToken, ask.Node)
		if err != nil {
			return err
		}
		for _, other := range list {
			if other.Valid(now) {
				return errJoined
			}
		}
		return tx.IssueToken(q.Context(), secret, store.Token{Kind: store.NodeToken, Subject: ask.Node, Created: now,
			CreatedBy: "join:" + k.Label})
	})
	switch {
	case errors.Is(err, errJoined):
		i.refuse(w, receiver.Refused{Code: http.StatusConflict, Refusal: native.Refusal{Error: err.Error()}})
	case err != nil:
		i.failed(err)
		i.unavailable(w)
	default:
		i.write(w, http.StatusOK, struct {
			Token string    `json:"token"`
			Time  time.Time `json:"server_time"`
		}{secret, now.UTC()})
	}
}
