package webhook_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// hmacByHand computes RFC 2104 with SHA-256, step by step, for a key of at most 64
// bytes.
func hmacByHand(key, text []byte) string {
	inner, outer := make([]byte, 64), make([]byte, 64)
	copy(inner, key)
	copy(outer, key)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	first := sha256.Sum256(append(inner, text...))
	second := sha256.Sum256(append(outer, first[:]...))
	return hex.EncodeToString(second[:])
}

// The tests' algorithm matches the RFC's: RFC 4231, test case 2.
func TestHMACByHand(t *testing.T) {
	if got := hmacByHand([]byte("Jefe"),
		[]byte("what do ya want for nothing?")); got != "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
		t.Error(got)
	}
}

func TestRequestsAreSigned(t *testing.T) {
	for _, preset := range all {
		url, rec := reporttest.Record(t, backends()[preset].ServeHTTP)
		c := config(t, preset, url)
		c.SignKey = reporttest.Secret(t, signKey)
		c.Headers = map[string]string{"X-Team": "storage"}
		c.HeaderFiles = map[string]httpclient.SecretFile{"X-Auth": reporttest.Secret(t, "header-s3cr3t")}
		r := storm(t)
		send(t, newReporter(t, c, ""), r)
		q := rec.Drain()[0]
		stamp := q.Header.Get("X-Nodewatch-Timestamp")
		if stamp != "1772331240" {
			t.Errorf("%s: time %q", preset, stamp)
		}
		want := "sha256=" + hmacByHand([]byte(signKey), append([]byte(stamp+"."), q.Body...))
		if got := q.Header.Get("X-Nodewatch-Signature"); got != want {
			t.Errorf("%s: signature %q, want %q", preset, got, want)
		}
		if q.Header.Get("X-Team") != "storage" || q.Header.Get("X-Auth") != "header-s3cr3t" {
			t.Errorf("%s: headers %v", preset, q.Header)
		}
	}
}

func TestWithoutAKeyNothingIsSigned(t *testing.T) {
	url, rec := reporttest.Record(t, backends()["json"].ServeHTTP)
	send(t, newReporter(t, config(t, "json", url), ""), storm(t))
	if h := rec.Drain()[0].Header; h.Get("X-Nodewatch-Signature") != "" || h.Get("X-Nodewatch-Timestamp") != "" {
		t.Errorf("%v", h)
	}
}
