package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The figures of this very process must be there, and grow with what it does.
func TestProcess(t *testing.T) {
	self := os.Getpid()
	before, err := worked([]int{self})
	if err != nil {
		t.Fatal(err)
	}
	wrote, err := written(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := forgetPeak(self); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := randomFile(file, 64<<20); err != nil {
		t.Fatal(err)
	}
	after, err := worked([]int{self, self})
	if err != nil || after <= 2*before {
		t.Errorf("worked for %v, then twice that is %v, %v", before, after, err)
	}
	if got, err := written(self); err != nil || got < wrote+64<<20 {
		t.Errorf("wrote %d, then %d, %v", wrote, got, err)
	}
	if got, err := peak(self); err != nil || got < 1<<20 {
		t.Errorf("peak %d, %v", got, err)
	}
	if _, err := field("/proc/self/status", "Nothing:"); err == nil {
		t.Error("a field that is not there was read")
	}
}
