package pack

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// The page about packages has an example that can be read, and a row for every key that
// is a package's alone.
func TestManual(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/PACKAGES.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	examples := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(examples) == 0 {
		t.Error("no example")
	}
	for _, e := range examples {
		if _, err := ParseSpec("docs/PACKAGES.md", []byte(e[1])); err != nil {
			t.Error(err)
		}
	}
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(page, -1) {
		told = append(told, row[1])
	}
	want := []string{"guest", "kind", "name", "ro", "seed", "sha256", "size_mb", "source", "volume", "wasm"}
	if slices.Sort(told); !slices.Equal(told, want) {
		t.Errorf("it tells of %v, want %v", told, want)
	}
	for _, c := range custom {
		if !strings.Contains(page, "| `"+c.folder+"/` |") || !strings.Contains(page, "`"+c.guest+"`") {
			t.Errorf("it does not tell of %s/ at %s", c.folder, c.guest)
		}
	}
	_, err = ParseSpec("m", []byte("[[mounts]]\nzzzzzzzzzzz = 1"))
	var problems tomlfile.Problems
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), "want one of guest, host, kind, ro, seed, size_mb, source, volume") {
		t.Errorf("a mount has other keys now: %v", err)
	}
}
