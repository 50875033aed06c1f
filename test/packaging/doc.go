// Package packaging has the tests of what make dist makes and of what a release is made
// with: the same bytes from two directories, what the packages hold, and the notes.
// packaging/dist-test installs the packages.
package packaging
