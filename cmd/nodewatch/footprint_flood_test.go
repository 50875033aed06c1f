package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The flood of the incident: 56,477 lines of libceph in three seconds from 182
// sessions, two lines per fault except for the first.
const (
	floodLines  = 56_477
	floodFaults = floodLines / 2
	floodTime   = 3 * time.Second
	floodOSDs   = 182
)

// TestFlood checks that the whole daemon on the real kernel log counts each line of a
// flood once: as read or, if it was stopped while the kernel overwrote lines, as
// lost.
func TestFlood(t *testing.T) {
	log := openFloodLog(t)
	d := startDaemon(t, os.Args[0], nil, asDaemon+"=1", "NODEWATCH_TEST_ANY_FACILITY=1", "RUNTIME_DIRECTORY="+log.runtime)
	lost := log.flood(t, d, func() {
		if err := syscall.Kill(int(d.process), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		log.wait(t, floodLines/3)
		if err := syscall.Kill(int(d.process), syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	})
	if lost == 0 {
		t.Log("nothing was lost: the kernel's log is large here")
	}
}

// BenchmarkFlood measures the cost of the flood for the shipped daemon.
func BenchmarkFlood(b *testing.B) {
	for b.Loop() {
		log := openFloodLog(b)
		d := startDaemon(b, buildDaemon(b), nil, "NODEWATCH_TEST_ANY_FACILITY=1", "RUNTIME_DIRECTORY="+log.runtime)
		before := d.spent(b)
		lost := log.flood(b, d, func() {})
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(1000*(d.spent(b)-before).Seconds(), "ms-CPU")
		b.ReportMetric(100*float64(lost)/floodLines, "%lost")
	}
}

// flood writes the lines from a separate process, and checks that the daemon counts
// them all. After a third of them it calls amid. It returns how many were lost.
func (l *floodLog) flood(t testing.TB, d *child, amid func()) (lost uint64) {
	t.Helper()
	before := l.settled(t, d)
	cmd := exec.Command(os.Args[0], "flood")
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.wait(t, floodLines/3)
	amid()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	wrote := time.Since(began)
	after := l.settled(t, d)

	if after.seq-before.seq < floodLines {
		t.Fatalf("only %d lines were logged", after.seq-before.seq)
	}
	others, read := after.seq-before.seq-floodLines, after.records-before.records
	lost = after.lost - before.lost
	faults := after.faults - before.faults
	t.Logf("%d lines in %s and %d of others: %d read, %d lost; %d faults", floodLines, wrote.Round(time.Millisecond), others, read,
		lost, faults)
	if read+lost != floodLines+others {
		t.Errorf("got %d read and %d lost, want %d in all", read, lost, floodLines+others)
	}
	if faults > floodFaults+others || faults+lost < floodFaults {
		t.Errorf("got %d faults and %d lines lost, want %d faults", faults, lost, floodFaults)
	}
	return lost
}

// writeFlood writes the lines, in a separate process.
func writeFlood() error {
	lines, err := newKernelLines()
	if err != nil {
		return err
	}
	defer lines.close()
	if err := lines.line("libceph: osd0 (1)192.0.2.10:6801 session reset"); err != nil {
		return err
	}
	began := time.Now()
	for n := range time.Duration(floodFaults) {
		time.Sleep(floodTime*n/floodFaults - time.Since(began))
		if err := lines.fault(floodOSDs); err != nil {
			return err
		}
	}
	return nil
}
