// Package example is the configuration of a status page with 60 components, which the
// packages install as an example and nodewatch-status demo shows.
package example

import _ "embed"

// Configuration is example.yml.
//
//go:embed example.yml
var Configuration []byte
