package report

import "fmt"

// A FieldError is an error in the configuration of a reporter.
type FieldError struct {
	Field string // dotted path within the reporter's section
	Text  string // what is wrong, and what is allowed
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Text }

// WrongField returns a *FieldError.
func WrongField(field, format string, args ...any) error {
	return &FieldError{Field: field, Text: fmt.Sprintf(format, args...)}
}
