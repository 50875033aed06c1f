package ratelimit

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Each sender has its own burst, and then the configured rate.
func TestLimits(t *testing.T) {
	l := New(0.5, 3, 10)
	for n, want := range []bool{true, true, true, false} {
		if got := l.Allow("a", noon); got != want {
			t.Errorf("request %d: %t, want %t", n, got, want)
		}
	}
	if !l.Allow("b", noon) {
		t.Error("another sender has to wait")
	}
	if l.Allow("a", noon.Add(time.Second)) || !l.Allow("a", noon.Add(2*time.Second)) || l.Allow("a", noon.Add(2*time.Second)) {
		t.Error("a request every 2 s is not what passes")
	}
}

// For any number of senders, memory stays bounded, and those that have recovered are
// dropped.
func TestLimitsAreBounded(t *testing.T) {
	l := New(1, 5, 100)
	for n := range 200 {
		if got, want := l.Allow(fmt.Sprint(n), noon), n < 100; got != want {
			t.Fatalf("sender %d: %t, want %t", n, got, want)
		}
	}
	if len(l.of) != 100 || !l.Allow("0", noon) {
		t.Errorf("%d are remembered", len(l.of))
	}
	if !l.Allow("later", noon.Add(time.Minute)) || len(l.of) != 1 {
		t.Errorf("after a minute %d are remembered", len(l.of))
	}
}
