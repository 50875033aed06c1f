package rule

import (
	"fmt"
	"strings"
	"unicode"
)

// ShellCommand inserts the names for each %s of the format, each quoted as one shell
// word whatever it contains, because the owner of a guest may have chosen it. It
// returns an empty string if a name cannot be pasted safely: control characters reach
// the terminal before any shell, and programs interpret a leading "-" as an option
// even in quotes.
func ShellCommand(format string, names ...string) string {
	words := make([]any, len(names))
	for i, name := range names {
		if name == "" || name[0] == '-' || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return ""
		}
		words[i] = shellWord(name)
	}
	return fmt.Sprintf(format, words...)
}

// shellWord quotes a name as one shell word.
func shellWord(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%_+=:,./-", r)
	}
	if strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
