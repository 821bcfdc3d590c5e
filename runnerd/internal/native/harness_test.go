package native_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
	"github.com/realm-mesh/realm/runnerd/internal/native/shim"
)

// TestMain lets this binary be what runnerd is to the package.
func TestMain(m *testing.M) {
	switch append(os.Args, "")[1] {
	case native.ShimCommand:
		os.Exit(shim.Main(os.Stdin, os.Stdout))
	case confine.InitCommand:
		os.Exit(confine.Init())
	}
	os.Exit(m.Run())
}

// bench is a place for executions of one test.
type place struct {
	t    *testing.T
	root string
	spec native.Spec
}

func newPlace(t *testing.T, argv ...string) *place {
	p := &place{t: t, root: t.TempDir()}
	p.spec = native.Spec{
		Ref: api.Ref{Kind: api.KindComponent, Name: "job"},
		Dir: filepath.Join(p.root, "execution"), WorkDir: filepath.Join(p.root, "work"), Argv: argv,
		Timeout: time.Minute, Grace: time.Second,
	}
	for _, d := range []string{p.spec.Dir, p.spec.WorkDir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *place) start() *native.Execution {
	p.t.Helper()
	e, err := native.Start(p.t.Context(), p.spec)
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

func (p *place) wait(e *native.Execution) native.Result {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	r, err := e.Wait(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *place) lines(e *native.Execution) []string {
	p.t.Helper()
	got, err := logs.Last(e.Log(), 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, l := range got {
		out = append(out, l.Stream+" "+l.Line)
	}
	return out
}
