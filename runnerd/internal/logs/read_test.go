package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/internal/kit/rotate"
)

// write logs so many lines.
func write(l *Log, from, to int, text string) {
	w := l.Writer(Stdout)
	for i := from; i < to; i++ {
		fmt.Fprintf(w, "%d %s\n", i, text)
	}
}

func TestLast(t *testing.T) {
	l, _, path := open(t)
	if lines, err := Last(path, 10); err != nil || len(lines) != 0 {
		t.Errorf("a log that is not there: %v %v", lines, err)
	}
	begun := time.Now().Add(-time.Second)
	write(l, 0, 3, "first words")
	for n, want := range map[int]int{0: 0, 2: 2, 3: 3, 100: 3} {
		lines, err := Last(path, n)
		if err != nil || len(lines) != want {
			t.Errorf("%d lines: %v %v", n, lines, err)
		}
		for i, got := range lines {
			if got.Line != fmt.Sprint(3-want+i, " first words") || got.Stream != Stdout || got.Time.Before(begun) {
				t.Errorf("of %d lines number %d: %+v", n, i, got)
			}
		}
	}
}

// TestLastOfRotated reads lines of which some are in the file before.
func TestLastOfRotated(t *testing.T) {
	l, _, path := open(t)
	n := 0
	for ; ; n++ {
		write(l, n, n+1, strings.Repeat("x", 1000))
		if _, err := os.Stat(path + ".1"); err == nil {
			break
		}
		if n > 2*rotate.MaxFile/1000 {
			t.Fatal("it is not rotated")
		}
	}
	lines, err := Last(path, 50)
	if err != nil || len(lines) != 50 {
		t.Fatal(len(lines), err)
	}
	for i, got := range lines {
		if !strings.HasPrefix(got.Line, fmt.Sprint(n-49+i, " x")) {
			t.Errorf("line %d is %.20s", i, got.Line)
		}
	}
	if lines, err = Last(path, 100_000); err != nil || len(lines) > maxRead/1000 || len(lines) < maxRead/1100 {
		t.Errorf("all of it: %d lines, %v", len(lines), err)
	}
}

// TestLastOfOthers reads a file that somebody else has written.
func TestLastOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	const stamp = "2026-11-22T12:00:00.000000001Z"
	for text, want := range map[string]int{
		"":                                   0,
		"\n\n":                               0,
		"no line of ours\n":                  0,
		stamp + " stdout\n":                  0,
		stamp + " stdin a\n":                 0,
		stamp + " stderr a\n" + "half":       1,
		stamp + " stdout \n":                 1,
		stamp + " stdout a":                  1,
		"cut" + "\n" + stamp + " stdout a\n": 1,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if lines, err := Last(path, 10); err != nil || len(lines) != want {
			t.Errorf("%q: %v %v", text, lines, err)
		}
	}
	if _, err := Last(filepath.Dir(path), 1); err == nil {
		t.Error("a folder is read")
	}
}
