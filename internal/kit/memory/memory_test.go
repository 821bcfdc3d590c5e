package memory

import "testing"

func TestPhysical(t *testing.T) {
	n, err := Physical()
	if err != nil {
		t.Fatal(err)
	}
	if n < 64<<20 || n > 1<<50 {
		t.Errorf("%d bytes", n)
	}
}
