package binary

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzDecode looks for bytes that panic, or that are refused without a reason.
func FuzzDecode(f *testing.F) {
	for _, b := range []string{
		component(section(1, emptyModule), section(2, "\x02\x00\x00\x00\x01\x01\x01a\x12\x00")),
		component(section(3, "\x02\x60\x01\x7f\x00\x50\x02\x01\x60\x00\x00\x00\x01a\x01b\x00\x00")),
		component(section(4, component(section(7, "\x01\x3f\x7f\x00"))), section(5, "\x01\x00\x00\x00")),
		component(section(6, "\x02\x01\x00\x00\x01a\x00\x00\x01\x00\x01b")),
		component(section(7, "\x02\x72\x02\x01a\x79\x01b\x00\x40\x01\x01a\x00\x00\x73")),
		component(section(7, "\x01\x41\x02\x03\x00\x01a\x03\x01\x04\x00\x01b\x03\x00\x00")),
		component(section(8, "\x02\x00\x00\x00\x02\x03\x00\x04\x01\x00\x01\x00\x00\x00")),
		component(section(8, "\x02\x06\x01\x0f\x00\x01\x06")),
		component(section(10, "\x02\x02\x01a\x01\x00\x05a:b/c\x05\x00\x00\x01b\x03\x00\x00")),
		component(section(11, "\x01\x00\x01a\x01\x00\x01\x01\x00")),
	} {
		f.Add([]byte(b))
	}
	paths, err := filepath.Glob(filepath.Join("..", "valid", "testdata", "*", "*.wasm"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no components to begin with: %v", err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b, DefaultCaps())
		e := new(Error)
		switch {
		case err == nil && c.Len != len(b):
			t.Errorf("%d of %d bytes are read", c.Len, len(b))
		case err == nil:
		case !errors.As(err, &e) || e.Reason == "" || e.Offset < 0 || e.Offset > len(b):
			t.Errorf("%#v is no reason", err)
		}
	})
}
