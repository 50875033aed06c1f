//go:build !race

package main

// raceDetector says whether the race detector is on.
const raceDetector = false
