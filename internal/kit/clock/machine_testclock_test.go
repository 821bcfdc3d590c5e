//go:build testclock

package clock

import (
	"testing"
	"time"
)

func TestOffset(t *testing.T) {
	t.Setenv(EnvOffset, "-48h")
	if d := time.Since(Open(path(t)).Now()); d < 48*time.Hour || d > 49*time.Hour {
		t.Errorf("behind by %v", d)
	}
	t.Setenv(EnvOffset, "tomorrow")
	defer func() {
		if recover() == nil {
			t.Error("an offset that is none was taken")
		}
	}()
	Open(path(t))
}
