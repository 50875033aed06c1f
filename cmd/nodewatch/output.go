package main

import "io"

// An output is standard output. It accepts everything and keeps the first error, so
// that commands need not check each line that they print: Main detects that the output
// of a command was lost.
type output struct {
	to  io.Writer
	err error
}

// Write implements io.Writer. It always returns nil and keeps the error.
func (o *output) Write(b []byte) (int, error) {
	if o.err == nil {
		_, o.err = o.to.Write(b)
	}
	return len(b), nil
}
