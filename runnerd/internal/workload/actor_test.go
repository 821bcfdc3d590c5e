package workload

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

func TestCommandLife(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.command(wasmtest.Out("hello\n"), wasmtest.Sleep(time.Hour)))
	n.await(1, api.StateRunning)
	if tail := n.set.Tail(worker); len(tail) != 1 || tail[0] != "hello" {
		t.Error(tail)
	}
	stopped := n.command()
	stopped.Stopped = true
	begun := time.Now()
	n.push(worker, stopped)
	n.await(2, api.StateStopped)
	if took := time.Since(begun); took > time.Second {
		t.Errorf("stopped after %s", took)
	}
	n.push(worker, n.command(wasmtest.Out("done\n")))
	n.await(3, api.StateExited)
	n.push(worker, n.command(wasmtest.Err("oh no\n"), wasmtest.Leave(3)))
	f := n.await(4, api.StateBackoff)
	if !strings.HasPrefix(f.Reason, "exit code 3") || f.Tail[len(f.Tail)-1] != "oh no" {
		t.Errorf("%+v", f)
	}
	n.push(worker, nil)
	n.await(5, api.StateRemoved)
	if _, _, err := n.set.Component(worker.Name); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	n.push(worker, n.command(wasmtest.Sleep(time.Hour)))
	n.await(6, api.StateRunning)
}

func TestStatesOnTheWay(t *testing.T) {
	n := newNode(t)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	var got []string
	for _, f := range n.facts {
		got = append(got, string(f.State))
	}
	if want := "[compiling running]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestWantsCountInTheirOrder has a lower number follow a higher one, as when the
// signer of the higher one has lost its say.
func TestWantsCountInTheirOrder(t *testing.T) {
	n := newNode(t)
	first, second := n.sign(fn, n.constant(1)), n.sign(fn, n.constant(2))
	n.apply(Want{Signed: second, Duty: api.DutyRun})
	n.await(2, api.StateRunning)
	n.apply(Want{Signed: first, Duty: api.DutyRun})
	if f := n.await(1, api.StateRunning); f.Intent != first.Digest || f.Serving != 0 {
		t.Errorf("%+v", f)
	}
	if got, err := n.call(); got != "1" || err != nil {
		t.Error(got, err)
	}
	told := n.count()
	n.apply(Want{Signed: first, Duty: api.DutyRun})
	n.push(fn, n.constant(3))
	n.await(3, api.StateRunning)
	for _, f := range n.facts[told:] {
		if f.Seq == 1 {
			t.Errorf("told again: %+v", f)
		}
	}
}

// TestBadVersionHurtsNothing has a version that cannot run follow a good one,
// through a restart of the process.
func TestBadVersionHurtsNothing(t *testing.T) {
	for name, bad := range map[string]func(*node) *api.Function{
		"no such export": func(n *node) *api.Function {
			return &api.Function{Module: n.program(wasmtest.Functions())}
		},
		"traps at the start": func(n *node) *api.Function {
			return &api.Function{Module: n.program(wasmtest.Functions(wasmtest.Func{Export: "_initialize", Code: []byte{0}}, wasmtest.Func{Export: "answer"}))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.push(fn, n.constant(42))
			n.await(1, api.StateRunning)
			n.push(fn, bad(n))
			f := n.await(2, api.StateFailed)
			if f.Serving != 1 || !f.Answers() || !strings.HasSuffix(f.Reason, "version 1 goes on") {
				t.Errorf("%+v", f)
			}
			if got, err := n.call(); got != "42" || err != nil {
				t.Error(got, err)
			}
			n.stop()
			n.begin()
			n.apply(Want{Signed: n.prev[fn], Duty: api.DutyRun})
			if f := n.await(2, api.StateFailed); f.Serving != 1 {
				t.Errorf("after a restart: %+v", f)
			}
			if got, err := n.call(); got != "42" || err != nil {
				t.Errorf("after a restart: %s, %v", got, err)
			}
			n.push(fn, n.constant(7))
			if f := n.await(3, api.StateRunning); f.Serving != 0 {
				t.Errorf("%+v", f)
			}
			if got, err := n.call(); got != "7" || err != nil {
				t.Error(got, err)
			}
		})
	}
}

func TestCallsGoOnWhileVersionsChange(t *testing.T) {
	n := newNode(t)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	stop, ended := make(chan struct{}), make(chan error, 4)
	for range cap(ended) {
		go func() {
			for {
				select {
				case <-stop:
					ended <- nil
					return
				default:
				}
				if _, err := n.call(); err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	for v := byte(2); v < 12; v++ {
		n.push(fn, n.constant(v))
		n.await(uint64(v), api.StateRunning)
	}
	close(stop)
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	n := newNode(t)
	n.breakLoading(errors.New("no peer has it now"))
	n.push(fn, n.constant(1))
	if f := n.await(1, api.StatePending); f.Reason != "no peer has it now" {
		t.Errorf("%+v", f)
	}
	_, err := n.call()
	if not := new(NotReadyError); !errors.As(err, &not) || !strings.Contains(err.Error(), "no peer has it now") {
		t.Error(err)
	}
	n.breakLoading(nil)
	n.await(1, api.StateRunning)
}

func TestWhatIsRefusedIsNotTriedAgain(t *testing.T) {
	n := newNode(t)
	n.breakLoading(program.Refuse("it is %s", "broken"))
	n.push(fn, n.constant(1))
	if f := n.await(1, api.StateFailed); f.Reason != "it is broken" || f.Serving != 0 {
		t.Errorf("%+v", f)
	}
	n.breakLoading(nil)
	time.Sleep(300 * time.Millisecond)
	if f := n.last(); f.State != api.StateFailed {
		t.Errorf("%+v", f)
	}
}

func TestTargetOfOthers(t *testing.T) {
	n := newNode(t)
	other := api.Ref{Kind: api.KindFunction, Name: "other"}
	n.apply(Want{Signed: n.sign(other, n.constant(1)), Duty: api.DutyNone, News: true})
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	if len(n.facts) != 2 {
		t.Errorf("facts of what is not here: %+v", n.facts)
	}
	n.apply(Want{Signed: n.sign(fn, n.constant(2)), Duty: api.DutyNone, Why: "its target names other peers", News: true})
	if f := n.await(2, api.StateRemoved); !strings.Contains(f.Reason, "target") {
		t.Errorf("%+v", f)
	}
	if _, err := n.call(); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func TestStoppedStaysStoppedAfterRestart(t *testing.T) {
	n := newNode(t)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	stopped := n.constant(1)
	stopped.Stopped = true
	n.push(fn, stopped)
	n.await(2, api.StateStopped)
	n.stop()
	n.begin()
	n.breakLoading(program.Refuse("broken"))
	n.push(fn, n.constant(2))
	if f := n.await(3, api.StateFailed); f.Serving != 0 {
		t.Errorf("what was stopped runs again: %+v", f)
	}
}

// What could not be kept, on a full disk say, is kept when there is something to do next.
func TestKeepingIsTriedAgain(t *testing.T) {
	n := newNode(t)
	folder := filepath.Join(n.dir, "good")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.push(worker, n.talking("one"))
	n.await(1, api.StateRunning)
	n.until("it was tried", func() bool {
		a := n.set.actor(worker)
		a.mu.Lock()
		defer a.mu.Unlock()
		return !a.busy && a.current.good
	})
	if n.set.Kept.Has(worker) {
		t.Fatal("it was kept in a file")
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	n.owe(worker, api.DutyKeep, "others are not ready")
	n.until("it is kept", func() bool { return n.set.Kept.Has(worker) })
}

func TestKeptIntentIsCheckedAgain(t *testing.T) {
	n := newNode(t)
	s := n.sign(fn, n.constant(1))
	if err := n.set.Kept.Save(s); err != nil {
		t.Fatal(err)
	}
	if got, ok := n.set.Kept.Load(fn); !ok || got.Version() != s.Version() {
		t.Errorf("%+v", got)
	}
	s.Envelope = bytes.Replace(s.Envelope, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)
	if err := n.set.Kept.Save(s); err != nil {
		t.Fatal(err)
	}
	if got, ok := n.set.Kept.Load(fn); ok {
		t.Errorf("a forged file is taken: %+v", got)
	}
}

func TestComponentAnswersRequests(t *testing.T) {
	n := newNode(t)
	web := n.command(wasmtest.Out("Content-Type: text/plain\n\nhello"))
	web.Interface = api.InterfaceCGI
	n.push(worker, web)
	n.await(1, api.StateRunning)
	p, release, err := n.set.Component(worker.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p.Serve(w, r, ""); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	r, err := http.Get(srv.URL)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatal(r, err)
	}
	r.Body.Close()
	n.push(worker, n.command(wasmtest.Sleep(time.Hour)))
	n.await(2, api.StateRunning)
	if _, _, err := n.set.Component(worker.Name); !errors.Is(err, ErrNoInterface) {
		t.Error(err)
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\t c":                      "a b c",
		"x\xff":                         "x?",
		strings.Repeat("é", 2000):       strings.Repeat("é", (api.MaxReason-3)/2) + "…",
		"a" + strings.Repeat("é", 2000): "a" + strings.Repeat("é", (api.MaxReason-4)/2) + "…",
	} {
		if got := oneLine(in); got != want || len(got) > api.MaxReason {
			t.Errorf("%.20q: %d bytes, want %d", in, len(got), len(want))
		}
	}
}
