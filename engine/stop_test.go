package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// stopsWithin is how soon after its deadline, or after it was canceled, a guest has ended.
const (
	stopsWithin = 50 * time.Millisecond
	rounds      = 30 // until one is so soon
)

// TestEveryGuestStopsInTime stops guests that do their best not to. Other processes may
// keep the machine busy: the best of some rounds counts, and none takes much longer.
func TestEveryGuestStopsInTime(t *testing.T) {
	goGuest := ready(t, probe, 64)
	defer goGuest.engine.MakeRoom()()
	type guest struct {
		module *Module
		args   []string
	}
	guests := map[string]guest{
		"a loop":             {ready(t, wasmtest.Endless(), 16), nil},
		"a tree of calls":    {ready(t, wasmtest.DeepTree(60), 16), nil},
		"a loop in Go":       {goGuest, []string{"loop"}},
		"printing in Go":     {goGuest, []string{"lines=1000000000"}},
		"sleeping":           {ready(t, wasmtest.Script(wasmtest.Sleep(time.Hour)), 16), nil},
		"sleeping in Go":     {goGuest, []string{"sleep=1h"}},
		"sleeping, a little": {ready(t, wasmtest.Script(wasmtest.Forever(wasmtest.Sleep(time.Microsecond))), 16), nil},
	}
	for name, wasm := range wasmtest.Bulk() {
		guests[name] = guest{ready(t, wasm, 256), nil}
	}
	for name, call := range longCalls() {
		guests[name] = guest{ready(t, call.Bytes(), 256), nil}
	}
	mounts := []Mount{{Guest: "/data", Folder: manyFiles(t)}}
	for name, g := range guests {
		t.Run(name, func(t *testing.T) {
			others := goleak.IgnoreCurrent()
			for _, how := range []error{errLate, errGone} {
				best := time.Hour
				for round := 0; round < 3 || round < rounds && best > stopsWithin; round++ {
					best = min(best, stopped(t, g.module, how, Env{Args: append([]string{"probe"}, g.args...), Stdin: endless{}, Stdout: new(copied), Mounts: mounts}))
				}
				t.Logf("%v: %s late", how, best.Round(10*time.Microsecond))
				if best > stopsWithin {
					t.Errorf("%v: it ended %s late at best", how, best)
				}
			}
			eventually(t, func() bool { // one is this test
				g.module.engine.mu.Lock()
				defer g.module.engine.mu.Unlock()
				return g.module.users == 1
			})
			// Goroutines that wait for the next guest of the module stay; none is in a guest.
			goleak.VerifyNone(t, others, goleak.IgnoreTopFunction("github.com/realm-mesh/realm/engine.(*workers).run"))
		})
	}
}

// errLate is the cause of a context whose deadline has passed.
var errLate = &DeadlineError{60 * time.Millisecond}

// stopped runs a guest until its context ends, by its deadline or otherwise, and returns
// how long after that the guest did.
func stopped(t *testing.T, m *Module, how error, env Env) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	begun := time.Now()
	if errors.Is(how, errLate) {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, errLate.After, errLate)
		defer done()
	} else {
		time.AfterFunc(errLate.After, func() { cancel(how) })
	}
	err := m.Run(ctx, env)
	late := time.Since(begun) - errLate.After
	if errors.Is(err, ErrRunaway) {
		return time.Hour // the machine was away for longer than a guest is waited for
	}
	var stop *StoppedError
	if errors.As(err, &stop) && stop.Fuel == 0 {
		return time.Hour // nor had it begun
	}
	if !errors.As(err, &stop) || !errors.Is(err, how) {
		t.Errorf("it ended with %v, %+v", err, stop)
	}
	if late < 0 || late > 5*time.Second {
		t.Errorf("it ended %s late", late)
	}
	return late
}

// TestEachEndHasItsError: what keeps a guest from going on can be told, and what it used.
func TestEachEndHasItsError(t *testing.T) {
	for name, c := range map[string]struct {
		wasm []byte
		fuel uint64
		as   any
		says string
	}{
		"fuel":   {wasmtest.Endless(), 10_000, new(*FuelError), "out of fuel after 10001 units of 10000"},
		"stack":  {wasmtest.Overflow(), 0, new(*StackError), "trap: stack overflow ("},
		"memory": {wasmtest.GrowMemory(), 0, new(*MemoryError), "trap: unreachable, after it was refused more than 16 MiB of memory ("},
	} {
		var used Usage
		err := ready(t, c.wasm, 16).Run(t.Context(), Env{Fuel: c.fuel, Used: func(u Usage) { used = u }})
		if !errors.As(err, c.as) || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%s: %T: %v", name, err, err)
		}
		if used.Fuel == 0 || name == "fuel" && used.Fuel != 10_001 || used.Memory < 1<<16 || used.CPU <= 0 {
			t.Errorf("%s: used %+v", name, used)
		}
		if name == "memory" && (used.Memory <= 15<<20 || used.Memory > 16<<20) {
			t.Errorf("it used %d bytes of 16 MiB", used.Memory)
		}
	}
}

// TestUsageIsThatOfTheGuest: sleeping takes no time of the processor, computing does.
func TestUsageIsThatOfTheGuest(t *testing.T) {
	m := ready(t, probe, 64)
	var asleep, busy Usage
	if err := m.Run(t.Context(), Env{Args: []string{"probe", "sleep=300ms"}, Used: func(u Usage) { asleep = u }}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := WithDeadline(t.Context(), 2*time.Second)
	defer cancel()
	err := m.Run(ctx, Env{Args: []string{"probe", "loop"}, Used: func(u Usage) { busy = u }})
	if stop := new(StoppedError); !errors.As(err, &stop) {
		t.Error(err)
	}
	if asleep.CPU > 150*time.Millisecond || busy.CPU < 50*time.Millisecond || busy.CPU > 2*time.Second+600*time.Millisecond {
		t.Errorf("asleep it used %s, busy %s", asleep.CPU, busy.CPU)
	}
	if asleep.Memory < 1<<20 || asleep.Fuel < 1000 || busy.Fuel < asleep.Fuel {
		t.Errorf("asleep %+v, busy %+v", asleep, busy)
	}
}

// TestTablesCountAsMemory: what tables take, memory cannot.
func TestTablesCountAsMemory(t *testing.T) {
	// It grows its table by a million elements (8 MiB of 16), then its memory by one page
	// at a time until it can no more, and traps if it has not 128 then.
	grow := append(wasmtest.Header(), wasmtest.Section(1, []byte{1, 0x60, 0, 0})...)
	code := []byte{0, 0xd0, 0x70, 0x41, 0x80, 0x80, 0xc0, 0, 0xfc, 15, 0, 0x1a,
		0x02, 0x40, 0x03, 0x40, 0x41, 1, 0x40, 0, 0x41, 0x7f, 0x46, 0x0d, 1, 0x0c, 0, 0x0b, 0x0b, // block loop grow br_if br end end
		0x3f, 0, 0x41, 0x80, 1, 0x47, 0x04, 0x40, 0x00, 0x0b, 0x0b} // memory.size != 128: unreachable
	for _, s := range []struct {
		id   byte
		body []byte
	}{{3, []byte{1, 0}}, {4, []byte{1, 0x70, 0, 0}}, {5, []byte{1, 0, 1}}, {7, append([]byte{1, 6}, "_start\x00\x00"...)}, {10, append([]byte{1, byte(len(code))}, code...)}} {
		grow = append(grow, wasmtest.Section(s.id, s.body)...)
	}
	var used Usage
	if err := ready(t, grow, 16).Run(t.Context(), Env{Used: func(u Usage) { used = u }}); err != nil {
		t.Error(err)
	}
	if used.Memory != 16<<20 {
		t.Errorf("it has %d bytes", used.Memory)
	}
}
