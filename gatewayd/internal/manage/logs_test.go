package manage

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// line is the n-th line, one second after the one before.
func line(n int, text string) string {
	return noon.Add(time.Duration(n)*time.Second).Format(time.RFC3339Nano) + " stdout " + text
}

// write makes a log file under dir of whole lines.
func write(t *testing.T, dir, path string, lines ...string) {
	t.Helper()
	writeText(t, dir, path, strings.Join(lines, "\n")+"\n")
}

func writeText(t *testing.T, dir, path, text string) {
	t.Helper()
	full := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func numbered(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, line(n, fmt.Sprint("number ", n)))
	}
	return out
}

func TestLogsOfOne(t *testing.T) {
	dir := t.TempDir()
	long := line(3, strings.Repeat("x", 3*maxLine))
	write(t, dir, "component/ticker.log", numbered(0, 1000)...)
	write(t, dir, "component/turned.log", numbered(200, 205)...)
	write(t, dir, "component/turned.log.1", numbered(100, 200)...)
	write(t, dir, "component/turned.log.2", numbered(0, 100)...)
	write(t, dir, "component/turned.log.10", line(-1, "oldest"))
	write(t, dir, "component/turned.log.gz", "not ours")
	write(t, dir, "component/long.log", line(1, "before"), long, line(4, "after"))
	writeText(t, dir, "component/cut.log", line(1, "whole")+"\n"+line(2, "in the middle of being writ"))
	writeText(t, dir, "component/empty.log", "")
	writeText(t, dir, "component/blank.log", "\n\n"+line(1, "x")+"\n\n")
	writeText(t, dir, "component/binary.log", "\x00\xff\x1b[2J\n")
	writeText(t, dir, "component/nofeed.log", strings.Repeat("y", 40*blockSize))
	get := served(t, Node{Logs: dir})
	for query, want := range map[string][]string{
		"component=ticker":               numbered(800, 1000),
		"component=ticker&tail=1":        numbered(999, 1000),
		"component=ticker&tail=3":        numbered(997, 1000),
		"component=ticker&tail=1000":     numbered(0, 1000),
		"component=ticker&tail=99999999": numbered(0, 1000),
		"component=ticker&tail=0":        nil,
		"component=turned&tail=5":        numbered(200, 205),
		"component=turned&tail=6":        numbered(199, 205),
		"component=turned&tail=150":      numbered(55, 205),
		"component=turned&tail=1000":     append([]string{line(-1, "oldest")}, numbered(0, 205)...),
		"component=long":                 {line(1, "before"), long[:maxLine], line(4, "after")},
		"component=cut":                  {line(1, "whole"), line(2, "in the middle of being writ")},
		"component=empty":                nil,
		"component=blank":                {"", "", line(1, "x"), ""},
		"component=binary":               {"\x00\xff\x1b[2J"},
		"component=nofeed":               {strings.Repeat("y", maxLine)},
	} {
		resp, body := get("/logs?" + query)
		var got []string
		if body != "" {
			got = strings.Split(strings.TrimSuffix(body, "\n"), "\n")
		}
		if resp.StatusCode != http.StatusOK || !slices.Equal(got, want) {
			t.Errorf("%s: %s, %d lines, want %d\n%.600s", query, resp.Status, len(got), len(want), body)
		}
		if ct := resp.Header.Get("Content-Type"); ct != textType || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: type %s", query, ct)
		}
	}
}

func TestLogsOfAll(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "component/a.log", line(1, "one"), line(4, "four"), "  no time", line(7, "seven"))
	write(t, dir, "component/b.log.1", line(0, "zero"))
	write(t, dir, "component/b.log", line(2, "two"), line(5, "five"))
	write(t, dir, "function/a.log", line(3, "three"), line(6, "six"))
	get := served(t, Node{Logs: dir})
	named := func(n int, name, text string) string {
		return strings.Replace(line(n, text), " stdout", " "+name+" stdout", 1)
	}
	all := []string{
		named(0, "component/b", "zero"), named(1, "component/a", "one"), named(2, "component/b", "two"), named(3, "function/a", "three"),
		named(4, "component/a", "four"), named(5, "component/b", "five"), named(6, "function/a", "six"), "component/a   no time", named(7, "component/a", "seven"),
	}
	for query, want := range map[string][]string{
		"component=__all__":        all,
		"component=__all__&tail=4": all[5:],
		"component=a":              {all[1], all[3], all[4], all[6], all[7], all[8]}, // two programs have this name
		"component=b":              {line(0, "zero"), line(2, "two"), line(5, "five")},
		"":                         {"a", "b"},
		"tail=5":                   {"a", "b"},
	} {
		if resp, body := get("/logs?" + query); resp.StatusCode != http.StatusOK || body != strings.Join(want, "\n")+"\n" {
			t.Errorf("%s: %s\n%s\nwant\n%s", query, resp.Status, body, strings.Join(want, "\n"))
		}
	}
}

func TestLogsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "component/ticker.log", line(1, "x"))
	write(t, filepath.Dir(dir), "secret.log", "secret")
	write(t, dir, "secret.log", "secret")
	write(t, dir, "other/secret.log", "secret")
	write(t, dir, "component/Secret.log", "secret")
	if err := os.MkdirAll(filepath.Join(dir, "component", "folder.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	linked := os.Symlink(filepath.Join(dir, "secret.log"), filepath.Join(dir, "component", "link.log")) == nil
	get := served(t, Node{Logs: dir})
	for query, want := range map[string]int{
		"component=nobody":                           404,
		"component=folder":                           404,
		"component=..":                               400,
		"component=.":                                400,
		"component=../../secret":                     400,
		"component=../secret":                        400,
		"component=..%2fsecret":                      400,
		"component=%2e%2e%2fsecret":                  400,
		"component=component/ticker":                 400,
		"component=ticker.log":                       400,
		"component=ticker%00":                        400,
		"component=/etc/passwd":                      400,
		"component=ticker%0a":                        400,
		"component=Secret":                           400,
		"component=" + strings.Repeat("a", 64):       400,
		"component=__ALL__":                          400,
		"component=ticker&tail=-1":                   400,
		"component=ticker&tail=x":                    400,
		"component=ticker&tail=99999999999999999999": 400,
		"component=ticker&tail=1e3":                  400,
	} {
		if resp, body := get("/logs?" + query); resp.StatusCode != want || strings.Contains(body, "secret\n") || len(body) > 300 {
			t.Errorf("%s: %s %s, want %d", query, resp.Status, body, want)
		}
	}
	if resp, _ := get("/logs?component=link"); linked && resp.StatusCode != http.StatusNotFound {
		t.Errorf("a link is followed: %s", resp.Status)
	}
	if _, body := get("/logs"); body != "ticker\n" {
		t.Errorf("names: %q", body)
	}
	if _, body := served(t, Node{Logs: filepath.Join(dir, "none")})("/logs"); body != "" {
		t.Errorf("names of a new node: %q", body)
	}
}

// TestTailOfLargeFile reads the end of 64 MiB and must not touch the rest.
func TestTailOfLargeFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "component", "large.log")
	write(t, dir, "component/large.log", line(0, "first"))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := strings.Repeat(line(1, strings.Repeat("z", 400))+"\n", 2000)
	for size := 0; size < 64<<20; size += len(block) {
		if _, err := f.WriteString(block); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintln(f, line(2, "last"))
	found, err := findLogs(dir)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := tailOf(t.Context(), found, query{tail: 200}, nil)
	runtime.ReadMemStats(&after)
	if err != nil || len(got.lines) != 200 || got.lines[0].raw != line(2, "last") || got.cut != "" {
		t.Fatalf("%d lines, %v, %q", len(got.lines), err, got.cut)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("%d KiB allocated for 200 lines", used>>10)
	}
	// What is shown at once stays bounded, however much is asked for.
	got, err = tailOf(t.Context(), found, query{tail: 1 << 30}, nil)
	size := 0
	for _, l := range got.lines {
		size += len(l.raw) + 1
	}
	if err != nil || size > maxText || size < maxText/2 || got.cut == "" {
		t.Errorf("%d lines, %d bytes, %v, %q", len(got.lines), size, err, got.cut)
	}
}

// rotate moves the files at path on, as runnerd does, and begins a new one.
func rotate(path string, lines ...string) error {
	for age := 3; age > 0; age-- {
		from := path
		if age > 1 {
			from = fmt.Sprint(path, ".", age-1)
		}
		if err := os.Rename(from, fmt.Sprint(path, ".", age)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// TestRotationWhileReading rotates after some lines have been read: what follows
// must be what came before them, or nothing.
func TestRotationWhileReading(t *testing.T) {
	for rotations, want := range []int{40, 30, 20, 10, 10} { // lines that are still there
		t.Run(fmt.Sprint(rotations), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "component", "busy.log")
			write(t, dir, "component/busy.log", numbered(0, 10)...)
			for i := 1; i < 4; i++ {
				if err := rotate(path, numbered(10*i, 10*i+10)...); err != nil {
					t.Fatal(err)
				}
			}
			found, err := findLogs(dir)
			if err != nil {
				t.Fatal(err)
			}
			budget := int64(maxRead)
			b := backward{paths: found[0].paths, budget: &budget}
			defer b.close()
			for i := range want {
				got, ok, err := b.next()
				if n := 39 - i; err != nil || !ok || string(got) != line(n, fmt.Sprint("number ", n)) {
					t.Fatalf("line %d from the end: %q %v %v", i, got, ok, err)
				}
				for r := range rotations {
					if i == 4 { // in the middle of the current file
						if err := rotate(path, numbered(100*r, 100*r+100)...); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if got, ok, err := b.next(); ok || err != nil {
				t.Errorf("one more line: %q %v", got, err)
			}
		})
	}
}

func TestParseLine(t *testing.T) {
	at := noon.Add(123456789)
	for s, want := range map[string]*api.LogLine{
		"2026-03-04T12:00:00.123456789Z stdout hello  world ": {Time: at, Stream: "stdout", Line: "hello  world "},
		"2026-03-04T13:00:00.123456789+01:00 stderr x":        {Time: at, Stream: "stderr", Line: "x"},
		"2026-03-04T12:00:00Z stdout ":                        {Time: noon, Stream: "stdout"},
		"2026-03-04T12:00:00Z stdout":                         {Time: noon, Stream: "stdout"},
		"2026-03-04T12:00:00Z stdin x":                        nil,
		"2026-03-04T12:00:00Z":                                nil,
		"2026-03-04 12:00:00 stdout x":                        nil,
		" 2026-03-04T12:00:00Z stdout x":                      nil,
		"stdout x":                                            nil,
		"":                                                    nil,
	} {
		l, ok := parseLine(s)
		if ok != (want != nil) || ok && (!l.Time.Equal(want.Time) || l.Stream != want.Stream || l.Line != want.Line) {
			t.Errorf("%q: %+v %v", s, l, ok)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add("2026-03-04T12:00:00.123456789Z stdout hello")
	f.Add("2026-03-04T12:00:00Z stderr")
	f.Add("x stdout y")
	f.Fuzz(func(t *testing.T, s string) {
		l, ok := parseLine(s)
		if !ok {
			return
		}
		// It must be read alike when it is written again.
		again, ok := parseLine(l.Time.Format(time.RFC3339Nano) + " " + l.Stream + " " + l.Line)
		if !ok || !again.Time.Equal(l.Time) || again.Stream != l.Stream || again.Line != l.Line {
			t.Fatalf("%q became %+v", s, again)
		}
	})
}

// FuzzBackward compares reading backward, block by block, with splitting the whole.
func FuzzBackward(f *testing.F) {
	f.Add("a\nb\nc\n", "")
	f.Add("a\n\n\nb", "old\n")
	f.Add("", "\n")
	f.Add(strings.Repeat("x", blockSize-1)+"\n"+strings.Repeat("y", blockSize), "z")
	f.Add(strings.Repeat("x", 3*maxLine)+"\nend", "")
	f.Fuzz(func(t *testing.T, current, older string) {
		dir := t.TempDir()
		writeText(t, dir, "x", current)
		writeText(t, dir, "x.1", older)
		var want []string
		for _, text := range []string{current, older} {
			if text == "" {
				continue
			}
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			slices.Reverse(lines)
			for _, l := range lines {
				want = append(want, l[:min(len(l), maxLine)])
			}
		}
		budget := int64(maxRead)
		b := backward{paths: []string{filepath.Join(dir, "x"), filepath.Join(dir, "x.1")}, budget: &budget}
		defer b.close()
		for i := 0; ; i++ {
			got, ok, err := b.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				if i != len(want) {
					t.Fatalf("%d lines, want %d", i, len(want))
				}
				return
			}
			if i >= len(want) || string(got) != want[i] {
				t.Fatalf("line %d from the end is %.80q, want %.80q", i, got, want[min(i, len(want)-1)])
			}
		}
	})
}

// TestWholeLines leaves out what of a line is written so far, where who follows will hear it:
// at the end of the newest file alone.
func TestWholeLines(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"x": "two\nthr", "x.1": "zero\non"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for whole, want := range map[bool]string{false: "thr two on zero", true: "two on zero"} {
		budget := int64(1 << 20)
		b := backward{paths: []string{filepath.Join(dir, "x"), filepath.Join(dir, "x.1")}, budget: &budget, whole: whole}
		var got []string
		for {
			line, ok, err := b.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			got = append(got, string(line))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("whole: %t: %q, want %q", whole, got, want)
		}
	}
}
