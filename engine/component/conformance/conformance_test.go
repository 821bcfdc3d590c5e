package main

import (
	"os"
	"testing"
)

// TestConformance runs all cases, and holds the document to them.
func TestConformance(t *testing.T) {
	r, err := Conform(t.Context(), os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Wrong {
		t.Error(w)
	}
	kept, err := os.ReadFile("../../../docs/CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != r.Document() {
		t.Error("docs/CONFORMANCE.md is not what came of the cases: run make conformance, and see what has changed")
	}
}
