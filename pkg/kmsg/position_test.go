package kmsg

import (
	"errors"
	"strings"
	"testing"
)

func TestPositionText(t *testing.T) {
	for _, want := range []Position{{thisBoot, 0}, {thisBoot, 2969}, {lastBoot, 1<<64 - 2}} {
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Position
		if err := got.UnmarshalText(append(text, '\n')); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	if _, err := (Position{}).MarshalText(); !errors.Is(err, ErrPosition) {
		t.Errorf("got %v for the zero Position, want that it is none", err)
	}
}

func TestPositionGarbage(t *testing.T) {
	for _, text := range []string{
		"", "\n", "x", thisBoot, thisBoot + " ", thisBoot + " -1", thisBoot + " 1 2", thisBoot + "  1", thisBoot + " 1\n\n",
		thisBoot + " 18446744073709551615",
		strings.ToUpper(thisBoot[:35]) + "g 1", strings.ReplaceAll(thisBoot, "-", "0") + " 1", strings.Repeat("0", 1<<20), "\x00\xff",
	} {
		var p Position
		if err := p.UnmarshalText([]byte(text)); !errors.Is(err, ErrPosition) || p != (Position{}) {
			t.Errorf("%.50q: got %v, %v", text, p, err)
		}
	}
}
