package rule

import (
	"fmt"
	"strings"
	"unicode"
)

// paste is a command with names of this node's world in the places of its %s, each
// as one word of the shell, whatever it holds: a guest's owner may have chosen it.
// Empty if one of them cannot be pasted: control characters reach the terminal
// before any shell, and a program takes a leading "-" for an option even in quotes.
func paste(command string, names ...string) string {
	words := make([]any, len(names))
	for i, name := range names {
		if name == "" || name[0] == '-' || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return ""
		}
		words[i] = quoted(name)
	}
	return fmt.Sprintf(command, words...)
}

// quoted is a name as one word of a shell.
func quoted(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%_+=:,./-", r)
	}
	if strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
