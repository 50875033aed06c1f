package rule

import "testing"

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"rbd/vm-1@a": "rbd/vm-1@a", "a b": "'a b'", "a'b": `'a'\''b'`, "$(id)": "'$(id)'", "ü": "'ü'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", in, got, want)
		}
	}
}
