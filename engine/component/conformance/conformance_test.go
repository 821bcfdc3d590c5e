package main

import (
	"os"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine"
)

func TestScratch(t *testing.T) {
	h, err := newHost()
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	for _, f := range []string{"values", "calls"} {
		cs, err := read(os.DirFS("testdata"), f)
		if err != nil {
			t.Log(err)
			continue
		}
		for _, c := range cs {
			if err := verdict(c.Must, h.run(t.Context(), c.wasm, engine.Env{})); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
	}
}

func TestScratchWASI(t *testing.T) {
	h, err := newHost()
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	a, wrong, err := callWASI(t.Context(), h, os.DirFS("../.."))
	t.Log(len(a), err)
	for _, w := range wrong {
		t.Error(w)
	}
	b, _ := os.ReadFile("../../wasi/testdata/functions.txt")
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) == 3 && a[f[0]+" "+f[2]] == "" {
			t.Error("no answer for", f[0], f[2])
		}
	}
}
