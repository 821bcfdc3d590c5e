package tomlfile

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"source", "sha256_hex", "replicas", "env", "args", "restart", "route"}
	for word, want := range map[string]string{
		"sorce": "source", "SOURCE": "source", "replica": "replicas", "replicas_max": "replicas", "sha256": "sha256_hex",
		"evn": "env", "abc": "", "xyz": "", "": "", "restrat": "restart", "command": "", strings.Repeat("source", 20): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
