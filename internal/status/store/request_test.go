package store_test

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A request is claimed once a day, by its token and key; a claim that is rolled back does
// not count.
func requests(t *testing.T, b bench) {
	secrets := []string{store.NewSecret(), store.NewSecret()}
	ids := make([]int64, len(secrets))
	b.update(t, func(tx *store.Tx) error {
		for n, secret := range secrets {
			if err := tx.IssueToken(t.Context(), secret, store.Token{Kind: store.APIToken, Subject: store.Viewer, Label: "a",
				Created: noon}); err != nil {
				return err
			}
			k, _, err := tx.TokenOf(t.Context(), secret)
			if err != nil {
				return err
			}
			ids[n] = k.ID
		}
		return nil
	})
	claim := func(token int, key string, at time.Time) (earlier store.Request, claimed bool) {
		t.Helper()
		b.update(t, func(tx *store.Tx) (err error) {
			earlier, claimed, err = tx.ClaimRequest(t.Context(), store.Request{Token: ids[token], Key: key,
				Digest: []byte(key + "digest"), At: at})
			if err != nil || !claimed {
				return err
			}
			return tx.RequestShows(t.Context(), ids[token], key, "/incidents/x")
		})
		return earlier, claimed
	}
	for _, c := range []struct {
		token int
		key   string
		at    time.Time
		want  bool
	}{
		{0, "k", noon, true}, {0, "k", noon.Add(23 * time.Hour), false}, {0, "l", noon, true}, {1, "k", noon, true},
		{0, "k", noon.Add(24 * time.Hour), true}, {1, "k", noon.Add(time.Minute), false},
	} {
		earlier, claimed := claim(c.token, c.key, c.at)
		if claimed != c.want || !claimed && (earlier.Shows != "/incidents/x" || string(earlier.Digest) != c.key+"digest" ||
			!earlier.At.Equal(noon)) {
			t.Errorf("%+v: %t %+v", c, claimed, earlier)
		}
	}
	if err := b.Update(t.Context(), func(tx *store.Tx) error {
		return tx.IssueToken(t.Context(), store.NewSecret(), store.Token{Kind: store.APIToken, Subject: store.Admin, Label: "a",
			Created: noon})
	}); err == nil {
		t.Error("a third token of one name is valid")
	}
}
