package main

import (
	"os"
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
