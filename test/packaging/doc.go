// Package packaging tests the output of make dist and the tools of a release: equal
// bytes from two directories, the content of the packages, and the release notes.
// packaging/dist-test installs the packages.
package packaging
