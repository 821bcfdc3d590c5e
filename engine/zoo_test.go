package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/internal/zoo"
)

// TestZoo has every animal meet what keeps it, behind the doors that a program goes
// through: none costs more than its call, or its child.
func TestZoo(t *testing.T) {
	c := newCompiler(t)
	e := New(c.cache)
	killed := 0
	for _, a := range zoo.All() {
		t.Run(a.Name, func(t *testing.T) {
			c.timeout = maxTime
			if a.Harm == zoo.Compiles {
				c.timeout = 3 * time.Second
			}
			m, err := e.Prepare(t.Context(), c, a.Module, 96)
			var refused *RefusedError
			switch {
			case a.Harm == zoo.Decodes || a.Harm == zoo.Reaches:
				if err == nil {
					t.Error("it was accepted")
				}
				return
			case a.Harm == zoo.Compiles && errors.As(err, &refused):
				killed++
				t.Log(err)
				return
			case a.Name == "tail-calls" && err != nil: // an extension that the engine does not offer
				return
			case err != nil:
				t.Fatal(err)
			}
			defer m.Release()
			if a.Harm != zoo.Compiles {
				meet(t, m, a.Harm)
			}
		})
	}
	if killed == 0 {
		t.Error("no module was too much for the compiler: the zoo has no bombs any more")
	}
}

// meet calls f of an animal.
func meet(t *testing.T, m *Module, h zoo.Harm) {
	t.Helper()
	after := 50 * time.Millisecond
	if h != zoo.Runs {
		after = time.Minute // they end by themselves
	}
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	used := make(chan Usage, 1)
	i, err := m.New(ctx, Env{Used: func(u Usage) { used <- u }})
	if err != nil {
		t.Fatal(err)
	}
	stack := []uint64{0}
	err = i.Call(ctx, "f", stack)
	i.Close()
	u := <-used
	switch h {
	case zoo.Runs:
		if !errors.As(err, new(*StoppedError)) {
			t.Errorf("its deadline passed: %v", err)
		}
	case zoo.Recurses:
		if !errors.As(err, new(*StackError)) {
			t.Errorf("it called itself for ever: %v", err)
		}
	case zoo.Grows:
		if err != nil || stack[0] == 0 {
			t.Errorf("it took %d, %v", stack[0], err)
		}
	default:
		t.Errorf("nobody knows what %s does", h)
	}
	if u.Fuel == 0 || u.Memory > 96<<20 {
		t.Errorf("it used %+v", u)
	}
}
