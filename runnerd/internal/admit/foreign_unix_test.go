//go:build !windows

package admit

import (
	"strings"
	"testing"
)

const foreignPath = `C:\data`

// TestNothingOfTheSystem tries what no settings can allow.
func TestNothingOfTheSystem(t *testing.T) {
	n := New(Config{Mounts: []string{"/", "/dev"}})
	for _, host := range []string{"/", "/dev", "/dev/", "/dev/../dev/fd/.."} {
		if _, err := n.Admit(component("w"), command(1, host)); err == nil || !strings.Contains(err.Error(), "no program may see") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := n.Admit(component("w"), command(1, t.TempDir())); err != nil {
		t.Error(err)
	}
}
