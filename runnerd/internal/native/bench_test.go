//go:build linux

package native_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// BenchmarkStart is from the call to the end of a program that does nothing.
func BenchmarkStart(b *testing.B) {
	m, err := native.Probe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var toRun time.Duration
	n := 0
	for b.Loop() {
		root := b.TempDir()
		s := native.Spec{Dir: filepath.Join(root, "d"), WorkDir: filepath.Join(root, "w"), Argv: []string{"/bin/true"}, Machine: &m}
		_ = os.Mkdir(s.Dir, 0o700)
		_ = os.Mkdir(s.WorkDir, 0o700)
		begun := time.Now()
		e, err := native.Start(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		toRun += time.Since(begun)
		n++
		if _, err := e.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(toRun.Microseconds())/float64(n)/1000, "ms-to-run")
}
