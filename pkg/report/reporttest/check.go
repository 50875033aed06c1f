package reporttest

import (
	"errors"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Client returns a client with the options.
func Client(t testing.TB, o httpclient.Options) *httpclient.Client {
	t.Helper()
	client, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// WantFailure checks that err is a *report.Failure of the kind and contains the words,
// and returns that Failure, or a zero one if err is none.
func WantFailure(t testing.TB, err error, kind report.FailureKind, words ...string) report.Failure {
	t.Helper()
	f := report.FailureOf(err)
	if f == nil {
		t.Errorf("got %v, want a failure: %s", err, kind)
		return report.Failure{}
	}
	if f.Kind != kind {
		t.Errorf("got %s: %v, want %s", f.Kind, err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want %q in it", err, word)
		}
	}
	return *f
}

// A Checker is the configuration of a reporter.
type Checker interface{ Check() error }

// CheckFields checks that a valid configuration is accepted, and that after each of the
// changes Check and create reject it. The error of Check must name the field, which is
// the key of the change.
func CheckFields[C Checker](t testing.TB, valid func() C, create func(C) error, changes map[string]func(*C)) {
	t.Helper()
	if err := valid().Check(); err != nil {
		t.Errorf("valid: %v", err)
	}
	for field, change := range changes {
		c := valid()
		change(&c)
		if wrong, ok := errors.AsType[*report.FieldError](c.Check()); !ok || wrong.Field != field {
			t.Errorf("%s: Check returns %v", field, c.Check())
		}
		if create(c) == nil {
			t.Errorf("%s: the reporter is created", field)
		}
	}
}
