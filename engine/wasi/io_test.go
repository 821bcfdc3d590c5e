package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

func TestStreamsOfTheProgram(t *testing.T) {
	var stdout, stderr bytes.Buffer
	g := newGuest(t, wasi.Env{Stdin: strings.NewReader("hello world"), Stdout: &stdout, Stderr: &stderr})
	stdin := g.handle("cli/stdin get-stdin")
	if n := g.ok(in+"blocking-skip", stdin, uint64(6)); n != uint64(6) {
		t.Errorf("skipped %v", n)
	}
	if b := g.ok(in+"read", stdin, uint64(0)); len(as[[]byte](b)) != 0 {
		t.Errorf("read %v", b)
	}
	// Another stream of the same input goes on where this one has stopped.
	again := g.handle("cli/stdin get-stdin")
	if text, end := g.readAll(again); text != "world" || end != closed {
		t.Errorf("read %q, %v", text, end)
	}
	if end := g.fails(in+"read", again, uint64(1)); end != closed {
		t.Errorf("after the end: %v", end)
	}
	w := g.handle("cli/stdout get-stdout")
	if n := as[uint64](g.ok(out+"check-write", w)); n == 0 {
		t.Error("no room to write")
	}
	g.ok(out+"write", w, []byte("one "))
	g.ok(out+"write-zeroes", w, uint64(2))
	g.ok(out+"blocking-write-zeroes-and-flush", w, uint64(1))
	g.ok(out+"blocking-write-and-flush", w, []byte(" two"))
	g.ok(out+"flush", w)
	g.ok(out+"blocking-flush", w)
	g.ok(out+"blocking-write-and-flush", g.handle("cli/stderr get-stderr"), []byte("err"))
	if stdout.String() != "one \x00\x00\x00 two" || stderr.String() != "err" {
		t.Errorf("wrote %q and %q", &stdout, &stderr)
	}
}

func TestStreamsTrapWhatIsForbidden(t *testing.T) {
	g := newGuest(t, wasi.Env{Stdin: strings.NewReader("hello")})
	w := g.handle("cli/stdout get-stdout")
	g.traps(out+"write", w, []byte("unasked"))
	n := as[uint64](g.ok(out+"check-write", w))
	g.traps(out+"write", w, make([]byte, n+1))
	g.traps(out+"write-zeroes", w, uint64(math.MaxUint64))
	g.traps(out+"blocking-write-and-flush", w, make([]byte, 4097))
	g.traps(out+"blocking-write-zeroes-and-flush", w, uint64(math.MaxUint64))
	g.traps("io/poll poll", []any{})
	g.traps("io/poll poll", make([]any, 1<<20))
	g.traps(in+"read", w, uint64(1))
	g.traps(in+"read", wit.Handle{Rep: 99}, uint64(1))

	stdin := g.handle("cli/stdin get-stdin")
	p := g.handle(in+"subscribe", stdin)
	var trap wasi.Trap
	if err := g.tryDrop("io/streams input-stream", stdin); !errors.As(err, &trap) {
		t.Errorf("drop of a stream that is waited for: %v", err)
	}
	if err := g.tryDrop("io/streams output-stream", stdin); !errors.As(err, &trap) {
		t.Errorf("drop of a stream as another: %v", err)
	}
	g.drop("io/poll pollable", p)
	g.drop("io/streams input-stream", stdin)
	if err := g.tryDrop("io/streams input-stream", stdin); !errors.As(err, &trap) {
		t.Errorf("second drop: %v", err)
	}
}

func TestPoll(t *testing.T) {
	r, w := io.Pipe()
	g := newGuest(t, wasi.Env{Stdin: r})
	stdin := g.handle("cli/stdin get-stdin")
	read := g.handle(in+"subscribe", stdin)
	never := g.handle("clocks/monotonic-clock subscribe-duration", uint64(math.MaxUint64))
	now := g.handle("clocks/monotonic-clock subscribe-instant", uint64(0))
	if got := as[[]any](g.call("io/poll poll", []any{read, never, now, now})); len(got) != 2 || got[0] != uint32(2) || got[1] != uint32(3) {
		t.Errorf("ready: %v", got)
	}
	if as[bool](g.call("io/poll [method]pollable.ready", read)) || len(as[[]byte](g.ok(in+"read", stdin, uint64(9)))) != 0 {
		t.Error("there is something to read")
	}
	go func() { _, _ = w.Write([]byte("x")) }()
	if got := as[[]any](g.call("io/poll poll", []any{never, read})); len(got) != 1 || got[0] != uint32(1) {
		t.Errorf("ready: %v", got)
	}
	ctx, cancel := context.WithCancelCause(g.ctx)
	ended := errors.New("ended")
	g.ctx = ctx
	time.AfterFunc(time.Millisecond, func() { cancel(ended) })
	if _, err := g.try("io/poll [method]pollable.block", never); !errors.Is(err, ended) {
		t.Errorf("wait: %v", err)
	}
	if _, err := g.try("clocks/monotonic-clock now"); !errors.Is(err, ended) {
		t.Errorf("call of a guest that is to end: %v", err)
	}
}

func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle := 0
		g := newGuest(t, wasi.Env{Idle: func(_ context.Context, wait func()) { idle++; wait() }})
		before := as[uint64](g.call("clocks/monotonic-clock now"))
		wall := time.Now()
		g.call("io/poll [method]pollable.block", g.handle("clocks/monotonic-clock subscribe-duration", uint64(time.Second)))
		g.call("io/poll [method]pollable.block", g.handle("clocks/monotonic-clock subscribe-instant", before+uint64(3*time.Second)))
		if after := as[uint64](g.call("clocks/monotonic-clock now")); after-before != uint64(3*time.Second) || idle != 2 {
			t.Errorf("slept %d ns, idle %d times", after-before, idle)
		}
		now := as[[]any](g.call("clocks/wall-clock now"))
		if now[0] != uint64(wall.Add(3*time.Second).Unix()) {
			t.Errorf("it is %v", now)
		}
		if g.call("clocks/monotonic-clock resolution") != uint64(1) || as[[]any](g.call("clocks/wall-clock resolution"))[1] != uint32(1) {
			t.Error("resolution")
		}
	})
}

func TestRandom(t *testing.T) {
	g := newGuest(t, wasi.Env{})
	for _, name := range []string{"random/random get-random-bytes", "random/insecure get-insecure-random-bytes"} {
		a, b := as[[]byte](g.call(name, uint64(32))), as[[]byte](g.call(name, uint64(32)))
		if len(a) != 32 || bytes.Equal(a, b) {
			t.Errorf("%s: %x, %x", name, a, b)
		}
		g.traps(name, uint64(math.MaxUint64))
	}
	a, b := g.call("random/random get-random-u64"), g.call("random/insecure get-insecure-random-u64")
	if as[uint64](a) == as[uint64](b) || len(as[[]any](g.call("random/insecure-seed insecure-seed"))) != 2 {
		t.Error("random numbers")
	}
}

func TestProgram(t *testing.T) {
	g := newGuest(t, wasi.Env{Args: []string{"prog", "a\xff"}, Vars: []wasi.Var{{Name: "K", Value: "v"}}})
	if a := as[[]any](g.call("cli/environment get-arguments")); len(a) != 2 || a[1] != "a\uFFFD" {
		t.Errorf("arguments %q", a)
	}
	if e := as[[]any](g.call("cli/environment get-environment")); len(e) != 1 || as[[]any](e[0])[1] != "v" {
		t.Errorf("environment %q", e)
	}
	for _, name := range []string{"environment initial-cwd", "terminal-stdin get-terminal-stdin", "terminal-stdout get-terminal-stdout", "terminal-stderr get-terminal-stderr"} {
		if g.call("cli/"+name) != wit.None() {
			t.Error(name)
		}
	}
	for _, end := range []struct {
		name string
		arg  any
		code uint8
	}{{"exit", wit.Ok(nil), 0}, {"exit", wit.Error(nil), 1}, {"exit-with-code", uint8(7), 7}} {
		_, err := g.try("cli/exit "+end.name, end.arg)
		if exit := (wasi.ErrExit{}); !errors.As(err, &exit) || exit.Code != end.code {
			t.Errorf("%s: %v", end.name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	spent := uint64(0)
	g := newGuest(t, wasi.Env{
		Stdin: endless{}, Limits: wasi.Limits{Resources: 8, FieldsTotal: 300},
		Work: func(_ context.Context, n uint64) error {
			if spent += n; spent > 20<<20 {
				return errors.New("out of fuel")
			}
			return nil
		},
	})
	fields := g.handle("http/types [constructor]fields")
	g.ok("http/types [method]fields.append", fields, "name", xs(200))
	g.traps("http/types [method]fields.clone", fields)
	g.traps("http/types [method]fields.append", fields, "name", xs(70_000))
	g.drop("http/types fields", fields)
	if b := as[[]byte](g.ok(in+"blocking-read", g.handle("cli/stdin get-stdin"), uint64(math.MaxUint64))); len(b) > 64<<10 {
		t.Errorf("%d bytes at a time", len(b))
	}
	stdin, stdout := g.handle("cli/stdin get-stdin"), g.handle("cli/stdout get-stdout")
	for {
		if _, err := g.try(out+"blocking-splice", stdout, stdin, uint64(math.MaxUint64)); err != nil {
			break // the stream is endless, the fuel is not
		}
	}
	spent = 0
	for range 5 {
		g.handle("clocks/monotonic-clock subscribe-instant", uint64(0))
	}
	g.traps("clocks/monotonic-clock subscribe-instant", uint64(0))
}

func TestLimitsOfWhatIsNotSent(t *testing.T) {
	g := newGuest(t, wasi.Env{Limits: wasi.Limits{Unsent: 2, FieldsTotal: 1000}})
	const req = "http/types [method]outgoing-request."
	// What is dropped counts no more.
	for range 10 {
		q := g.handle("http/types [constructor]outgoing-request", g.headers("a", "b"))
		g.ok(req+"body", q)
		g.ok(req+"set-path-with-query", q, wit.Some("/"+string(xs(500))))
		g.drop("http/types outgoing-request", q)
	}
	a, b := g.handle("http/types [constructor]outgoing-request", g.headers()), g.handle("http/types [constructor]outgoing-request", g.headers())
	g.ok(req+"body", a)
	g.ok(req+"set-path-with-query", a, wit.Some("/"+string(xs(600))))
	g.ok(req+"set-path-with-query", a, wit.Some("/"+string(xs(700))))
	g.traps(req+"set-authority", b, wit.Some(string(xs(700))))
	g.ok("http/types [method]outgoing-response.body", g.handle("http/types [constructor]outgoing-response", g.headers()))
	g.traps(req+"body", b)
}

func xs(n int) []byte { return bytes.Repeat([]byte("x"), n) }

type endless struct{}

func (endless) Read(b []byte) (int, error) { runtime.Gosched(); return len(b), nil }

func TestCloseEndsWhatWaits(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	g := newGuest(t, wasi.Env{Stdin: r})
	g.call(in+"read", g.handle("cli/stdin get-stdin"), uint64(1))
	g.Close() // does not wait for the other end of the pipe
	g.Close()
}

func TestSocketsAreDenied(t *testing.T) {
	g := newGuest(t, wasi.Env{})
	n := g.handle("sockets/instance-network instance-network")
	const denied = uint32(1)
	if g.fails("sockets/ip-name-lookup resolve-addresses", n, "example.org") != denied ||
		g.fails("sockets/tcp-create-socket create-tcp-socket", uint32(0)) != denied ||
		g.fails("sockets/udp-create-socket create-udp-socket", uint32(0)) != denied {
		t.Error("sockets are not denied")
	}
	g.traps("sockets/tcp [method]tcp-socket.start-listen", n)
	g.drop("sockets/network network", n)
}
