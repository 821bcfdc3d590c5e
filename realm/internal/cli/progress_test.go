package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMeterText(t *testing.T) {
	start := time.Unix(1e9, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	var m meter
	m.begin(1<<30, start)
	for _, c := range []struct {
		seconds float64
		done    int64
		moved   bool
		text    string
	}{
		{0.1, 1 << 20, true, "1.0 MiB of 1.0 GiB"}, // too early for a rate
		{1, 64 << 20, true, "64.0 MiB of 1.0 GiB, 64.0 MiB/s, 15 s left"},
		{2, 128 << 20, true, "128.0 MiB of 1.0 GiB, 64.0 MiB/s, 14 s left"},
		{3, 128 << 20, false, "128.0 MiB of 1.0 GiB, 42.7 MiB/s, 21 s left"},
		{3, 0, false, "0 B of 1.0 GiB"}, // it begins anew
		{4, 1 << 20, true, "1.0 MiB of 1.0 GiB, 1.0 MiB/s, 17 min 3 s left"},
	} {
		if moved := m.set(c.done, 1<<30, at(c.seconds)); moved != c.moved {
			t.Errorf("after %v s: moved %v", c.seconds, moved)
		}
		if got := m.text(at(c.seconds)); got != c.text {
			t.Errorf("after %v s: %q, want %q", c.seconds, got, c.text)
		}
	}
	m.tell("from 3 members")
	m.set(1<<30, 1<<30, at(5))
	if got := m.text(at(5)); got != "1.0 GiB of 1.0 GiB, 512.0 MiB/s, from 3 members" {
		t.Error(got)
	}
	var unknown meter
	unknown.begin(-1, start)
	unknown.set(3<<10, -1, at(2))
	if got := unknown.text(at(3)); got != "3.0 KiB, 1.0 KiB/s" {
		t.Errorf("without a total: %q", got)
	}
}

func TestLeftText(t *testing.T) {
	for want, got := range map[string]string{
		"":                "" + leftText(0, 100),
		"1 s left":        leftText(1, 100),
		"59 s left":       leftText(59, 1),
		"1 min 0 s left":  leftText(60, 1),
		"1 h 1 min left":  leftText(3665, 1),
		"99 h 0 min left": leftText(99*3600, 1),
		"days left":       leftText(1<<60, 1),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if leftText(100, 0) != "" || rateText(0.5) != "" || rateText(1536) != "1.5 KiB/s" {
		t.Error("a rate of nothing says something")
	}
}

// Who reads a log gets a line now and then; who reads JSON none.
func TestProgressLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var errs bytes.Buffer
		p := (&app{err: &errs}).newProgress("disk.img\x1b", 10<<20)
		r := p.reader(bytes.NewReader(make([]byte, 4<<20)))
		if n, err := io.Copy(io.Discard, r); n != 4<<20 || err != nil {
			t.Error(n, err)
		}
		time.Sleep(11 * time.Second)
		p.end()
		if got := errs.String(); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, "disk.img: 4.0 MiB of 10.0 MiB, ") {
			t.Errorf("%q", got)
		}
		errs.Reset()
		p = (&app{err: &errs, json: true}).newProgress("x", 1)
		time.Sleep(time.Minute)
		p.end()
		if errs.Len() > 0 {
			t.Errorf("with --json: %q", errs.String())
		}
	})
}

// What moves goes on; what does not ends.
func TestWhileMoving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{err: io.Discard, json: true}
		begin := time.Now()
		err := a.whileMoving(t.Context(), 2*time.Minute, func(ctx context.Context) error {
			p := a.newProgress("x", 100)
			defer p.end()
			for i := range int64(10) {
				p.set(i+1, 100)
				time.Sleep(time.Minute)
			}
			for range 10 {
				p.set(10, 100) // no more than there was
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Minute):
				}
			}
			return nil
		})
		if took := time.Since(begin); took != 11*time.Minute {
			t.Errorf("it took %v", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nothing has moved for 2m0s") {
			t.Errorf("%v", err)
		}
	})
}
