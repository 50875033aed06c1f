package cause

import (
	"slices"
	"testing"
)

// weights returns an analysis with one piece of evidence for each cause.
func weights(of map[Cause]int) Analysis {
	all := map[Cause][]Evidence{}
	for c, w := range of {
		all[c] = []Evidence{{Fact: string(c), Weight: w}}
	}
	return weigh(all)
}

func TestACauseIsConcludedByAClearLead(t *testing.T) {
	for _, c := range []struct {
		what   string
		of     map[Cause]int
		want   Cause
		likely []Cause
		text   string
	}{
		{"nothing", nil, Unknown, nil, ""},
		{"only against", map[Cause]int{Wire: -3, OneOSD: -4}, Unknown, nil, ""},
		{"one leads", map[Cause]int{Saturation: 4, UnstableBuffers: -3, Wire: -3}, Saturation, []Cause{Saturation},
			"likely cause: NIC saturation"},
		{"an unknown is no veto", map[Cause]int{Saturation: 4, UnstableBuffers: -1}, Saturation, []Cause{Saturation},
			"likely cause: NIC saturation"},
		{"two are close", map[Cause]int{Saturation: 4, UnstableBuffers: 3}, Unknown, []Cause{Saturation, UnstableBuffers},
			"likely cause: NIC saturation or Windows guests without rxbounce"},
		{"a weak one", map[Cause]int{OneOSD: 2}, Unknown, []Cause{OneOSD}, "possible cause: one OSD or the path to it"},
		{"weaker still", map[Cause]int{OneOSD: 1}, Unknown, nil, ""},
	} {
		a := weights(c.of)
		if got := a.Concluded(); got != c.want {
			t.Errorf("%s: concluded %q, want %q", c.what, got, c.want)
		}
		if got := a.Likely(); !slices.Equal(got, c.likely) {
			t.Errorf("%s: likely %q, want %q", c.what, got, c.likely)
		}
		if got := a.String(); got != c.text {
			t.Errorf("%s: %q, want %q", c.what, got, c.text)
		}
	}
}

func TestEvidenceForAndAgainst(t *testing.T) {
	a := weights(map[Cause]int{Saturation: 4, Wire: -3, OneOSD: 0})
	if n, m := len(a.For()), len(a.Against()); n != 2 || m != 1 {
		t.Errorf("got %d facts for and %d against, want 2 and 1: what is only told is shown", n, m)
	}
}

func TestEveryCauseHasALabel(t *testing.T) {
	for _, c := range order {
		if c.String() == "" || c.Separates() == "" {
			t.Errorf("%s has no words, or nothing that separates it", string(c))
		}
	}
}
