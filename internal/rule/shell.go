package rule

import (
	"fmt"
	"strings"
	"unicode"
)

// ShellCommand is format with the names in the places of its %s, each as one word
// of the shell, whatever it contains: a guest's owner may have chosen it. It is
// empty if one of them cannot be pasted: control characters reach the terminal
// before any shell, and a program takes a leading "-" for an option even in quotes.
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

// shellWord is a name as one word of a shell.
func shellWord(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%_+=:,./-", r)
	}
	if strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
