package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/rotate"
)

var ref = api.Ref{Kind: api.KindComponent, Name: "noisy"}

// recorder is a listener.
type recorder struct{ lines []api.LogLine }

func (r *recorder) live(_ api.Ref, l api.LogLine) { r.lines = append(r.lines, l) }

func open(t *testing.T) (*Log, *recorder, string) {
	path := filepath.Join(t.TempDir(), "component", "noisy.log")
	r := &recorder{}
	l := Open(ref, path, r.live, slog.New(slog.DiscardHandler))
	t.Cleanup(l.Close)
	return l, r, path
}

func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		writes []string
		want   []string
	}{
		"one":               {[]string{"hello\n"}, []string{"hello"}},
		"in pieces":         {[]string{"he", "l", "lo\nwor", "ld\n"}, []string{"hello", "world"}},
		"several at once":   {[]string{"a\nb\n\nc\n"}, []string{"a", "b", "", "c"}},
		"not ended":         {[]string{"a\nhalf"}, []string{"a", "half"}},
		"carriage returns":  {[]string{"a\r\nb\r\n"}, []string{"a", "b"}},
		"not UTF-8":         {[]string{"a\xff\xfeb\n"}, []string{"a\uFFFDb"}},
		"longest":           {[]string{strings.Repeat("x", api.MaxLogLine) + "\nb\n"}, []string{strings.Repeat("x", api.MaxLogLine), "b"}},
		"too long":          {[]string{strings.Repeat("x", api.MaxLogLine), strings.Repeat("y", 100_000), "z\nb\n"}, []string{strings.Repeat("x", api.MaxLogLine), "b"}},
		"grows by cleaning": {[]string{strings.Repeat("\xffa", api.MaxLogLine/2) + "\n"}, []string{strings.Repeat("\uFFFDa", api.MaxLogLine/4)}},
	} {
		t.Run(name, func(t *testing.T) {
			l, r, _ := open(t)
			w := l.Writer(Stdout)
			for _, s := range c.writes {
				if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
					t.Fatal(n, err)
				}
			}
			w.Flush()
			var got []string
			for _, line := range r.lines {
				if err := line.Validate(); err != nil || !utf8.ValidString(line.Line) {
					t.Errorf("line %.40q: %v", line.Line, err)
				}
				got = append(got, line.Line)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %.200q", got)
			}
		})
	}
}

func TestFileHasTimeStreamAndText(t *testing.T) {
	l, _, path := open(t)
	out, err := l.Writer(Stdout), l.Writer(Stderr)
	fmt.Fprintln(out, "to stdout")
	fmt.Fprintln(err, "to stderr")
	b, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	stamp := `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z`
	if !regexp.MustCompile(`^` + stamp + ` stdout to stdout\n` + stamp + ` stderr to stderr\n$`).Match(b) {
		t.Errorf("got %q", b)
	}
}

func TestTailIsWhatAFactMayCarry(t *testing.T) {
	l, _, _ := open(t)
	w := l.Writer(Stdout)
	for i := range 30 {
		fmt.Fprintln(w, i, strings.Repeat("é", 300))
	}
	tail := l.Tail()
	f := api.WorkloadFact{Ref: ref, Peer: "12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi", State: api.StateBackoff, Tail: tail}
	if err := f.Validate(); err != nil || len(tail) != api.MaxTail || !strings.HasPrefix(tail[0], "20 ") || !utf8.ValidString(tail[0]) {
		t.Errorf("%v, %q", err, tail)
	}
}

func TestFilesRotate(t *testing.T) {
	l, _, path := open(t)
	w := l.Writer(Stdout)
	line := strings.Repeat("x", 16_000) + "\n"
	for range (rotate.Older + 2) * rotate.MaxFile / len(line) {
		fmt.Fprint(w, line)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != rotate.Older+1 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || len(b) > rotate.MaxFile || !bytes.HasSuffix(b, []byte("x\n")) {
			t.Errorf("%s: %d bytes, %v", f, len(b), err)
		}
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(path + "*"); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

// TestNoRoomForTheFile has a folder where the file should be.
func TestNoRoomForTheFile(t *testing.T) {
	l, r, path := open(t)
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	w := l.Writer(Stdout)
	fmt.Fprint(w, "one\ntwo\n")
	if len(r.lines) != 2 || len(l.Tail()) != 2 {
		t.Errorf("listeners got %v, the tail is %v", r.lines, l.Tail())
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "three\nfour\n")
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), "(2 lines are missing here") || strings.Count(string(b), "\n") != 3 {
		t.Errorf("%v, %q", err, b)
	}
}

func TestNoisyProgramIsHeardInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r, path := open(t)
		w := l.Writer(Stdout)
		for i := range 3 * paceLines {
			fmt.Fprintln(w, i)
		}
		if len(r.lines) != paceLines {
			t.Errorf("%d lines in one moment", len(r.lines))
		}
		time.Sleep(paceWindow)
		fmt.Fprintln(w, "later")
		last := r.lines[len(r.lines)-2:]
		if !strings.HasPrefix(last[0].Line, fmt.Sprintf("(%d lines", 2*paceLines)) || last[1].Line != "later" {
			t.Errorf("then %q", last)
		}
		if b, err := os.ReadFile(path); err != nil || bytes.Count(b, []byte("\n")) != 3*paceLines+1 {
			t.Errorf("the file has %d lines, %v", bytes.Count(b, []byte("\n")), err)
		}
	})
}

// TestTailOfOneInstance has two instances write to one log.
func TestTailOfOneInstance(t *testing.T) {
	l, _, _ := open(t)
	var one, two Tail
	a, b := l.WriterOf(Stdout, &one), l.WriterOf(Stderr, &two)
	fmt.Fprintln(a, "a1")
	for i := range 2 * api.MaxTail {
		fmt.Fprintln(b, "b", i)
	}
	fmt.Fprintln(a, strings.Repeat("é", api.MaxTailLine))
	if got := one.Lines(); len(got) != 2 || got[0] != "a1" || len(got[1]) > api.MaxTailLine || !utf8.ValidString(got[1]) {
		t.Errorf("%q", got)
	}
	if got := two.Lines(); len(got) != api.MaxTail || got[api.MaxTail-1] != fmt.Sprint("b ", 2*api.MaxTail-1) {
		t.Errorf("%q", got)
	}
	if got := l.Tail(); len(got) != api.MaxTail || !strings.HasPrefix(got[api.MaxTail-1], "é") || got[0] != "b 11" {
		t.Errorf("%q", got)
	}
}

// A log that passes on keeps the last lines, has no file, and leaves nothing out.
func TestPass(t *testing.T) {
	var got []string
	l := Pass(api.Ref{Kind: api.KindComponent, Name: "web"}, func(_ api.Ref, line api.LogLine) { got = append(got, line.Stream+" "+line.Line) })
	w := l.Writer(Stderr)
	for range 2 * paceLines {
		fmt.Fprintln(w, "a line")
	}
	fmt.Fprint(w, "the last")
	w.Flush()
	if tail := l.Tail(); len(got) != 2*paceLines+1 || got[len(got)-1] != "stderr the last" || tail[len(tail)-1] != "the last" {
		t.Errorf("%d lines, then %q", len(got), l.Tail())
	}
	l.Close()
	if err := l.Remove(); err != nil || len(l.Tail()) != 0 {
		t.Errorf("%v, %q", err, l.Tail())
	}
}
