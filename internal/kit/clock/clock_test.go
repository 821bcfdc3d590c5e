package clock

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// hand is a machine's clock that tests set.
type hand struct{ at time.Time }

func (h *hand) now() time.Time { return h.at }

func path(t testing.TB) string { return filepath.Join(t.TempDir(), "clock.json") }

// Each step sets the machine's clock, relative to t0; on a restart the process ends
// as if it was killed, so that only what is on disk goes on.
func TestNow(t *testing.T) {
	type step struct {
		machine, want time.Duration
		restart       bool
	}
	for name, steps := range map[string][]step{
		"goes on":                     {{0, 0, false}, {time.Second, time.Second, false}, {time.Hour, time.Hour, false}},
		"set back":                    {{time.Hour, time.Hour, false}, {0, time.Hour, false}, {59 * time.Minute, time.Hour, false}, {61 * time.Minute, 61 * time.Minute, false}},
		"set back a little":           {{time.Hour, time.Hour, false}, {time.Hour - time.Millisecond, time.Hour, false}},
		"set back while it was off":   {{time.Hour, time.Hour, false}, {-time.Hour, time.Hour, true}, {2 * time.Hour, 2 * time.Hour, false}},
		"set ahead":                   {{0, 0, false}, {8760 * time.Hour, 8760 * time.Hour, false}, {time.Minute, 8760 * time.Hour, false}, {time.Hour, 8760 * time.Hour, true}},
		"killed within a minute":      {{0, 0, false}, {30 * time.Second, 30 * time.Second, false}, {-time.Hour, 0, true}},
		"killed after a minute":       {{0, 0, false}, {time.Minute, time.Minute, false}, {-time.Hour, time.Minute, true}},
		"no battery":                  {{0, 0, false}, {-500000 * time.Hour, 0, true}, {-500000 * time.Hour, 0, true}, {time.Hour, time.Hour, false}},
		"restarted twice, later each": {{0, 0, false}, {time.Hour, time.Hour, true}, {2 * time.Hour, 2 * time.Hour, true}},
	} {
		t.Run(name, func(t *testing.T) {
			p, m := path(t), &hand{t0}
			c := open(p, m.now)
			for i, s := range steps {
				if s.restart {
					c = open(p, m.now)
				}
				m.at = t0.Add(s.machine)
				if got := c.Now().Sub(t0); got != s.want {
					t.Fatalf("step %d: %v, want %v", i, got, s.want)
				}
				if got, want := c.Behind(), max(0, s.want-s.machine); got != want {
					t.Fatalf("step %d: behind by %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestCloseKeepsTheTime(t *testing.T) {
	p, m := path(t), &hand{t0}
	c := open(p, m.now)
	c.Now()
	m.at = t0.Add(7 * time.Second) // less than a minute, and nobody has asked since
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	m.at = t0
	c = open(p, m.now)
	if got := c.Now().Sub(t0); got != 7*time.Second {
		t.Errorf("%v", got)
	}
	if fi, err := os.Stat(p); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("%q", w)
	}
}

// The file is not written each time that somebody asks.
func TestWritesOnceAMinute(t *testing.T) {
	p, m := path(t), &hand{t0}
	c := open(p, m.now)
	writes, last := 0, ""
	for range 601 { // 10 minutes
		c.Now()
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != last {
			writes, last = writes+1, string(b)
		}
		m.at = m.at.Add(time.Second)
	}
	if writes != 11 {
		t.Errorf("written %d times in 10 minutes, want 11", writes)
	}
}

// A file that is no use is no reason to stop: people are told.
func TestCorruptFile(t *testing.T) {
	good := `{"latest":"2026-11-23T12:00:00Z"}`
	for name, bad := range map[string]string{
		"empty": "", "cut": good[:10], "zeros": strings.Repeat("\x00", 40), "no time": `{"latest":"today"}`, "missing": "{}",
		"more": good + good, "unknown field": `{"a":1}`, "large": good + strings.Repeat(" ", maxFile), "null": "null",
	} {
		p, m := path(t), &hand{t0}
		if err := os.WriteFile(p, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		c := open(p, m.now)
		if got := c.Now(); !got.Equal(t0) {
			t.Errorf("%s: %v", name, got)
		}
		if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "is lost") || !strings.Contains(w[0], p) {
			t.Errorf("%s: warnings %q", name, w)
		}
		c = open(p, m.now) // it has been written anew
		if w := c.Warnings(); len(w) != 0 || !c.Now().Equal(t0) {
			t.Errorf("%s: afterwards %v, %q", name, c.Now(), w)
		}
	}
}

func TestMachineIsBehind(t *testing.T) {
	p, m := path(t), &hand{t0.Add(3 * time.Hour)}
	c := open(p, m.now)
	c.Now()
	m.at = m.at.Add(-tolerance)
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("within the tolerance: %q", w)
	}
	m.at = t0
	w := c.Warnings()
	if len(w) != 1 || !strings.Contains(w[0], "3h0m0s behind") || !strings.Contains(w[0], "set the clock") || !strings.Contains(w[0], p) {
		t.Errorf("%q", w)
	}
}

// Without a place to write, the clock goes on, says so, and tries again.
func TestCannotWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	m := &hand{t0}
	c := open(filepath.Join(dir, "clock.json"), m.now)
	if got := c.Now(); !got.Equal(t0) {
		t.Errorf("%v", got)
	}
	if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "cannot be kept") {
		t.Errorf("%q", w)
	}
	m.at = m.at.Add(time.Second)
	if err := c.Close(); err == nil {
		t.Error("closed without an error")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	m.at = m.at.Add(time.Minute)
	c.Now()
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("when it can again: %q", w)
	}
}

// Two processes with one file: what one has seen, the other does not take back.
func TestTwoOfOneFile(t *testing.T) {
	p, ahead, behind := path(t), &hand{t0.Add(time.Hour)}, &hand{t0}
	b := open(p, behind.now)
	a := open(p, ahead.now)
	a.Now()
	b.Now()
	if got := b.Now().Sub(t0); got != time.Hour {
		t.Errorf("%v", got)
	}
	if got := open(p, behind.now).Now().Sub(t0); got != time.Hour {
		t.Errorf("on disk: %v", got)
	}
}

func TestManyGoroutines(t *testing.T) {
	c := Open(path(t))
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			last := time.Time{}
			for range 1000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("%v after %v", now, last)
				}
				last = now
			}
			return c.Close()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(c.Now()); d < -time.Minute || d > time.Minute {
		t.Errorf("%v from the machine's", d)
	}
}
