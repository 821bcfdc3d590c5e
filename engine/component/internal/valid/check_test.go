package valid

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
)

// cases calls fn for each component in a folder of testdata: its name, its text, and its
// binary form, as testdata/build.mjs makes it.
func cases(t testing.TB, folder string, fn func(name, text string, b []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.wat"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tests in %s: %v", folder, err)
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(strings.TrimSuffix(p, ".wat") + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		fn(strings.TrimSuffix(filepath.Base(p), ".wat"), string(text), b)
	}
}

func decode(t testing.TB, b []byte) *binary.Component {
	t.Helper()
	c, err := binary.Decode(b, binary.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestValid(t *testing.T) {
	cases(t, "valid", func(name, _ string, b []byte) {
		t.Run(name, func(t *testing.T) {
			if err := Check(decode(t, b), binary.DefaultCaps()); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestInvalid has components that break a rule each. The first line of the text says what
// the reason has to tell.
func TestInvalid(t *testing.T) {
	cases(t, "invalid", func(name, text string, b []byte) {
		t.Run(name, func(t *testing.T) {
			line, _, _ := strings.Cut(text, "\n")
			want, ok := strings.CutPrefix(line, ";; ")
			if !ok {
				t.Fatal("the first line gives no reason")
			}
			err := Check(decode(t, b), binary.DefaultCaps())
			if e := new(binary.Error); !errors.As(err, &e) {
				t.Errorf("%v, want %q", err, want)
			} else if !strings.Contains(e.Reason, want) || e.Offset < 8 || e.Offset >= len(b) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	})
}
