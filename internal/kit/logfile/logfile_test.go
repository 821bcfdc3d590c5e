package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/internal/kit/rotate"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTail(t *testing.T) {
	numbered := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			fmt.Fprintf(&b, "line %d\n", i)
		}
		return b.String()
	}
	long := strings.Repeat("x", blockSize)
	for name, c := range map[string]struct {
		files []string // the current one first
		n     int
		want  string // joined by "|"
	}{
		"fewer":              {[]string{"a\nb\n"}, 10, "a|b"},
		"exactly":            {[]string{"a\nb\n"}, 2, "a|b"},
		"more":               {[]string{"a\nb\nc\n"}, 2, "b|c"},
		"none wanted":        {[]string{"a\nb\n"}, 0, ""},
		"empty":              {[]string{""}, 5, ""},
		"no line feed yet":   {[]string{"a\nb"}, 1, "b"},
		"empty lines count":  {[]string{"a\n\n\n"}, 2, "|"},
		"over a block":       {[]string{numbered(1, 20000)}, 2, "line 19999|line 20000"},
		"lines over a block": {[]string{"a\n" + long + "\nb\n"}, 2, long + "|b"},
		"older":              {[]string{"c\n", "b\n", "a\n"}, 3, "a|b|c"},
		"some of the older":  {[]string{"c\n", "a\nb\n"}, 2, "b|c"},
		"just rotated":       {[]string{"", "a\nb\n"}, 1, "b"},
		"between two names":  {[]string{"-", "a\nb\n"}, 1, "b"},
		"between two others": {[]string{"c\n", "-", "a\nb\n"}, 2, "b|c"},
		"all that is kept":   {[]string{"e\n", "d\n", "c\n", "b\n", "a\n"}, 5, "b|c|d|e"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.log")
			for age, text := range c.files {
				file := path
				if age > 0 {
					file = fmt.Sprintf("%s.%d", path, age)
				}
				if text != "-" {
					write(t, file, text)
				}
			}
			got, err := Tail(path, c.n, 1<<20)
			if err != nil || strings.Join(got, "|") != c.want {
				t.Errorf("got %.80q %v, want %.80q", got, err, c.want)
			}
		})
	}
	for _, n := range []int{0, 1} {
		if _, err := Tail(filepath.Join(t.TempDir(), "none.log"), n, 1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no log: %v", err)
		}
	}
	if _, err := Tail(t.TempDir(), 1, 1<<20); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder: %v", err)
	}
}

func TestTailOfAVeryLongFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	const limit = 3*blockSize + 5
	write(t, path, strings.Repeat("x", limit+blockSize)+"\nlast\n")
	write(t, path+".1", "before\n")
	if got, err := Tail(path, 2, limit); err != nil || len(got) != 1 || got[0] != "last" {
		t.Errorf("got %d lines, %v", len(got), err)
	}
	// What is left for the older file ends within a line.
	write(t, path, "last\n")
	write(t, path+".1", "first\nbefore\n")
	for limit, want := range map[int64]string{4: "", 5: "last", 6: "last", 12: "last", 13: "before|last", 17: "before|last", 18: "first|before|last"} {
		if got, err := Tail(path, 9, limit); err != nil || strings.Join(got, "|") != want {
			t.Errorf("%d bytes: %q %v, want %q", limit, got, err, want)
		}
	}
}

// TestRotatedMeanwhile rotates a log between the reading of two of its files.
func TestRotatedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	write(t, path, "b\n")
	write(t, path+".1", "a\n")
	r := reader{left: blockSize}
	for i, want := range []string{"b", "", "a"} {
		file := path
		if i > 0 {
			file = fmt.Sprintf("%s.%d", path, i)
		}
		if got, err := r.tail(file, 5); err != nil || strings.Join(got, "|") != want {
			t.Errorf("of file %d: %q %v, want %q", i, got, err, want)
		}
		if i == 0 {
			if err := errors.Join(os.Rename(path+".1", path+".2"), os.Rename(path, path+".1")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestTailWhileItIsRotated writes numbered lines, with many rotations, while others read
// the last ones: these follow each other, each once.
func TestTailWhileItIsRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f := rotate.New(path, 0)
	line := func(i int) []byte { return fmt.Appendf(nil, "%d %s\n", i, strings.Repeat("x", 64<<10)) }
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		defer close(done)
		for i := range 6 * rotate.MaxFile / (64 << 10) {
			if _, err := f.Write(line(i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer f.Close()
	defer writing.Wait()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		lines, err := Tail(path, 20, 4<<20)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not begun
		}
		if err != nil {
			t.Fatal(err)
		}
		before := -1
		for _, l := range lines {
			var i int
			if _, err := fmt.Sscanf(l, "%d ", &i); err != nil || before >= 0 && i != before+1 {
				t.Fatalf("%.20q comes after line %d (%v)", l, before, err)
			}
			before = i
		}
	}
}

func TestParse(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC)
	for in, want := range map[string]string{
		"2026-11-22T01:02:03.000004Z stdout tick 1": "stdout tick 1",
		"2026-11-22T01:02:03.000004Z stderr ":       "stderr ",
		"2026-11-22T01:02:03.000004Z stdout":        " 2026-11-22T01:02:03.000004Z stdout",
		"2026-11-22T01:02:03.000004Z elsewhere x":   " 2026-11-22T01:02:03.000004Z elsewhere x",
		"ck 17": " ck 17",
		"":      " ",
	} {
		l, ok := Parse(in)
		if got := l.Stream + " " + l.Line; got != want || ok != (l.Stream != "") || l.Stream != "" && !l.Time.Equal(at) {
			t.Errorf("%q: %q at %v, want %q", in, got, l.Time, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-11-22T01:02:03.000004Z stdout tick 1")
	f.Add("2026-11-22T12:00:00.000000001Z stdout hello")
	f.Add("2026-11-22T12:00:00Z stderr ")
	f.Add("stdout")
	f.Fuzz(func(t *testing.T, s string) {
		l, ok := Parse(s)
		if !strings.HasSuffix(s, l.Line) || !ok && (l.Line != s || l.Stream != "") {
			t.Fatalf("%q lost something: %+v", s, l)
		}
		if !ok {
			return
		}
		again, ok := Parse(strings.TrimSuffix(string(Append(nil, l)), "\n"))
		if !ok || !again.Time.Equal(l.Time) || again.Stream != l.Stream || again.Line != l.Line {
			t.Errorf("%q is %+v, then %+v %v", s, l, again, ok)
		}
	})
}
