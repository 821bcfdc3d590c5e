package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"30", "30"}, {"30,256,1024", "30,256,1024"},
		{"", ""}, {"0", ""}, {"-1", ""}, {"1,", ""}, {"a", ""},
	}
	for _, tt := range tests {
		s := sizes{5}
		err := s.Set(tt.in)
		if (err != nil) != (tt.want == "") || err == nil && s.String() != tt.want {
			t.Errorf("Set(%q): %v, %v", tt.in, s, err)
		}
	}
}

func TestTimes(t *testing.T) {
	here := times{2 * time.Second, 9 * time.Second, 4 * time.Second}
	there := times{time.Second, 3 * time.Second, 3 * time.Second}
	if got := here.median(); got != 4*time.Second {
		t.Errorf("median: %v", got)
	}
	if got := here.rate(100e6); got != "25 MB/s" {
		t.Errorf("rate: %s", got)
	}
	// 1/2, 1/3, 3/4: each round against what ran beside it, not median against median.
	if got := here.share(there); got != 0.5 {
		t.Errorf("share: %v", got)
	}
	if got := here.seconds(); got != "4.00 s (2.00 to 9.00)" {
		t.Errorf("seconds: %s", got)
	}
}

func TestAims(t *testing.T) {
	tests := []struct {
		got  string
		want bool
	}{
		{atLeast(0.4, 0.4, "40 %"), true}, {atLeast(0.39, 0.4, "40 %"), false},
		{atMost(2, 2, "2 ×"), true}, {atMost(2.1, 2, "2 ×"), false},
		{below(0.1, 0.2, "20 %"), true}, {below(0.2, 0.2, "20 %"), false},
	}
	for i, tt := range tests {
		if met := strings.HasSuffix(tt.got, ": met"); met != tt.want {
			t.Errorf("%d: %s", i, tt.got)
		}
	}
}

func TestRandomBytes(t *testing.T) {
	a, errA := io.ReadAll(randomBytes(1000))
	b, errB := io.ReadAll(randomBytes(1000))
	if errA != nil || errB != nil || len(a) != 1000 || string(a) == string(b) {
		t.Errorf("%d bytes, %v, %v; the same again: %t", len(a), errA, errB, string(a) == string(b))
	}
}

// All changes must find their place in the source as it is.
func TestOverlays(t *testing.T) {
	r := release{source: "../../..", dir: t.TempDir()}
	for _, e := range edits() {
		if e.file == "" {
			continue
		}
		overlay, err := r.overlay("name", e)
		if err != nil {
			t.Error(err)
			continue
		}
		edited, err := os.ReadFile(filepath.Join(r.dir, "name.go"))
		if err != nil || !strings.Contains(string(edited), e.text) {
			t.Errorf("%s: not edited, %v", e.file, err)
		}
		if b, err := os.ReadFile(overlay); err != nil || !strings.Contains(string(b), filepath.Base(e.file)) {
			t.Errorf("overlay %s, %v", b, err)
		}
	}
	if _, err := r.overlay("name", edit{file: "go.work", old: "not there"}); err == nil {
		t.Error("an edit without a place was made")
	}
}
