package kmsg

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestClassifyAgreesWithReferenceOnDamage removes, inserts and changes single bytes
// of lines, where a hand-written scanner and a pattern are most likely to differ.
func TestClassifyAgreesWithReferenceOnDamage(t *testing.T) {
	const others = ": )(-0x\n\xff"
	n := 0
	for i, s := range allForms() {
		for at := i % 17; at < len(s.text); at += 17 {
			other := others[(i+at)%len(others)]
			for _, text := range []string{
				s.text[:at] + s.text[at+1:],
				s.text[:at] + string([]byte{other}) + s.text[at+1:],
				s.text[:at] + string([]byte{other}) + s.text[at:],
				s.text[:at],
			} {
				if diff := cmp.Diff(reference(text), lineOf(text)); diff != "" {
					t.Errorf("%q: -reference +classify\n%s", text, diff)
				}
				n++
			}
		}
	}
	t.Logf("%d damaged lines", n)
}
