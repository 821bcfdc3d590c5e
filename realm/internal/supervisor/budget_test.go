package supervisor

import (
	"strings"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	l := DefaultLimits()
	now := time.Now()

	b := newBudget(l)
	last := time.Duration(0)
	for i := 1; i < l.MaxEarly; i++ {
		pause, err := b.died(now, true)
		if err != nil {
			t.Fatalf("early death %d: %v", i, err)
		}
		switch {
		case i == 1 && pause > 100*time.Millisecond:
			t.Errorf("the first restart waits %v", pause)
		case i > 1 && (pause <= 0 || pause > l.BackoffMax*3/2):
			t.Errorf("restart %d waits %v", i, pause)
		}
		last = max(last, pause)
	}
	if last < 8*l.BackoffMin {
		t.Errorf("the pauses do not grow: at most %v", last)
	}
	if _, err := b.died(now, true); err == nil {
		t.Errorf("early death %d did not fail it", l.MaxEarly)
	}

	b = newBudget(l)
	for i := range 3 * l.MaxEarly { // work in between forgives
		if pause, err := b.died(now.Add(time.Duration(i)*time.Minute), i%2 == 0); err != nil || pause != 0 {
			t.Errorf("death %d: pause %v, %v", i, pause, err)
		}
	}

	b = newBudget(l)
	for i := range l.MaxDeaths - 1 {
		if _, err := b.died(now.Add(time.Duration(i)*time.Second), false); err != nil {
			t.Fatalf("death %d: %v", i, err)
		}
	}
	if _, err := b.died(now.Add(l.Window-time.Nanosecond), false); err == nil {
		t.Errorf("death %d within the window did not fail it", l.MaxDeaths)
	}
}

func TestReason(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"", ""},
		{"hello", "hello"},
		{`time=x level=ERROR msg="stopped" daemon=casd error="a \"b\" c"`, `a "b" c`},
		{`level=ERROR error=plain`, "plain"},
		{`level=ERROR msg="no error=here"`, `level=ERROR msg="no error=here"`},
		{"panic: oops\n\ngoroutine 1 [running]:\nmain.main()", "panic: oops"},
	} {
		var w lastWords
		for line := range strings.Lines(c.lines) {
			w.add(strings.TrimRight(line, "\n"))
		}
		if got := w.reason(); got != c.want {
			t.Errorf("%q: got %q, want %q", c.lines, got, c.want)
		}
	}
}
