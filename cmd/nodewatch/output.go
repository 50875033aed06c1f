package main

import "io"

// An output is standard output. It takes everything and keeps the first error, so that
// no command has to look at each line that it prints: Main sees that one whose output
// is lost has failed.
type output struct {
	to  io.Writer
	err error
}

// Write implements io.Writer. Its error is always nil; what was wrong is kept.
func (o *output) Write(b []byte) (int, error) {
	if o.err == nil {
		_, o.err = o.to.Write(b)
	}
	return len(b), nil
}
