package memory

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLimit(t *testing.T) {
	const none = 1 << 40
	for text, want := range map[string]int64{
		"2147483648\n": 2147483648, "max\n": none, "": none, "-1": none, "0": none, "18446744073709551615": none, "12 MiB": none,
	} {
		path := filepath.Join(t.TempDir(), "memory.max")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := limit(path, none); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := limit(filepath.Join(t.TempDir(), "none"), none); got != none {
		t.Errorf("no file: %d", got)
	}
}
