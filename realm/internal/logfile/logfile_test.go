package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.log")
			for age, text := range c.files {
				file := path
				if age > 0 {
					file = fmt.Sprintf("%s.%d", path, age)
				}
				write(t, file, text)
			}
			got, err := Tail(path, c.n)
			if err != nil || strings.Join(got, "|") != c.want {
				t.Errorf("got %.80q %v, want %.80q", got, err, c.want)
			}
		})
	}
	if _, err := Tail(filepath.Join(t.TempDir(), "none.log"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
}

func TestTailOfAVeryLongFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	write(t, path, strings.Repeat("x", maxRead+blockSize)+"\nlast\n")
	if got, err := Tail(path, 2); err != nil || len(got) != 1 || got[0] != "last" {
		t.Errorf("got %d lines, %v", len(got), err)
	}
}

func TestParse(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC)
	for in, want := range map[string]string{
		"2026-11-22T01:02:03.000004Z stdout tick 1": "stdout tick 1",
		"2026-11-22T01:02:03.000004Z stderr ":       "stderr ",
		"2026-11-22T01:02:03.000004Z stdout":        "stdout ",
		"2026-11-22T01:02:03.000004Z elsewhere x":   " 2026-11-22T01:02:03.000004Z elsewhere x",
		"ck 17": " ck 17",
		"":      " ",
	} {
		l := Parse(in)
		if got := l.Stream + " " + l.Line; got != want || l.Stream != "" && !l.Time.Equal(at) {
			t.Errorf("%q: %q at %v, want %q", in, got, l.Time, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-11-22T01:02:03.000004Z stdout tick 1")
	f.Fuzz(func(t *testing.T, s string) {
		if l := Parse(s); !strings.HasSuffix(s, l.Line) || l.Stream == "" && l.Line != s {
			t.Fatalf("%q lost something: %+v", s, l)
		}
	})
}
