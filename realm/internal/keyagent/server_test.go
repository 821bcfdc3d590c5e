package keyagent

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

var (
	held   = key(1)
	public = keys.PublicOf(held)
	data   = []byte("what is to be signed")
)

// newPlace is where an agent of this test lies, with a path that is short everywhere.
func newPlace(t *testing.T) (keyFile string, at paths.KeyAgent) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ka")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	keyFile = filepath.Join(dir, "owner.pem")
	if at, err = paths.OpenKeyAgent(keyFile); err != nil {
		t.Fatal(err)
	}
	return keyFile, at
}

// hands are those of a clock that a test sets.
type hands struct {
	mu   sync.Mutex
	wall time.Time
	ran  time.Duration
}

func newHands() *hands { return &hands{wall: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)} }

func (h *hands) clock() clock {
	return clock{
		func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.wall },
		func() time.Duration { h.mu.Lock(); defer h.mu.Unlock(); return h.ran },
	}
}

func (h *hands) move(wall, ran time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wall, h.ran = h.wall.Add(wall), h.ran+ran
}

func TestDeadline(t *testing.T) {
	for name, tt := range map[string]struct {
		wall, ran, left time.Duration
	}{
		"at once":                   {0, 0, time.Hour},
		"later":                     {10 * time.Minute, 10 * time.Minute, 50 * time.Minute},
		"asleep":                    {2 * time.Hour, time.Minute, -time.Hour},
		"the clock was set back":    {-24 * time.Hour, 59 * time.Minute, time.Minute},
		"set back, time over":       {-24 * time.Hour, time.Hour, 0},
		"the clock was set forward": {24 * time.Hour, time.Second, -23 * time.Hour},
	} {
		h := newHands()
		h.move(0, 7*time.Hour) // the machine has run before
		d := newDeadline(h.clock().wall().Add(time.Hour), h.clock())
		h.move(tt.wall, tt.ran)
		if got := d.left(); got != tt.left {
			t.Errorf("%s: %s left, want %s", name, got, tt.left)
		}
	}
	if left := newDeadline(time.Now().Add(time.Minute), newClock()).left(); left <= 59*time.Second || left > time.Minute {
		t.Errorf("by the machine's clock: %s left of a minute", left)
	}
}

// inside is an agent in this process.
type inside struct {
	Client
	at    paths.KeyAgent
	ended chan struct{} // closed when serve has returned err
	err   error
}

func serveInside(t *testing.T, c clock, life time.Duration) *inside {
	t.Helper()
	_, at := newPlace(t)
	s, err := newServer(held, newDeadline(c.wall().Add(life), c))
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), at, s)
	if err != nil {
		t.Fatal(err)
	}
	in := &inside{Client: NewClient(at), at: at, ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(in.ended)
		in.err = s.serve(ctx, l)
	}()
	t.Cleanup(func() {
		cancel()
		<-in.ended
	})
	return in
}

// gone wants the agent to have ended well, and to have left nothing.
func (in *inside) gone(t *testing.T) {
	t.Helper()
	select {
	case <-in.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the agent does not end")
	}
	if in.err != nil {
		t.Error(in.err)
	}
	if _, err := os.Lstat(in.at.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %s (%v)", in.at.Dir(), err)
	}
	if _, err := in.Until(public); !errors.Is(err, ErrNotRunning) {
		t.Errorf("asked after its end: %v", err)
	}
}

func TestSign(t *testing.T) {
	h := newHands()
	in := serveInside(t, h.clock(), time.Hour)
	until, err := in.Until(public)
	if err != nil || !until.Equal(h.wall.Add(time.Hour)) {
		t.Errorf("until %s, %v", until, err)
	}
	signer := in.Signer(public)
	if keys.PublicOf(signer) != public {
		t.Error("the signer is of another key")
	}
	sig, err := signer.Sign(nil, data, crypto.Hash(0))
	if err != nil || !bytes.Equal(sig, ed25519.Sign(held, data)) {
		t.Errorf("signature %x, %v", sig, err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err == nil {
		t.Error("a hash was signed as if it were the message")
	}
	other := keys.PublicOf(key(2))
	if _, err := in.Signer(other).Sign(nil, data, crypto.Hash(0)); err == nil {
		t.Error("signed with a key that it does not hold")
	}
	if _, err := in.Until(other); !errors.Is(err, ErrNotRunning) {
		t.Errorf("asked for another key: %v", err)
	}
}

// However its time has passed, an agent signs nothing after that, and ends.
func TestNothingAfterTheEnd(t *testing.T) {
	for name, over := range map[string]func(*hands){
		"time has passed":        func(h *hands) { h.move(time.Hour, time.Hour) },
		"the machine slept":      func(h *hands) { h.move(time.Hour, time.Second) },
		"the clock was set back": func(h *hands) { h.move(-time.Hour, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHands()
			in := serveInside(t, h.clock(), time.Hour)
			if _, err := in.Signer(public).Sign(nil, data, crypto.Hash(0)); err != nil {
				t.Fatal(err)
			}
			over(h)
			if _, err := in.Signer(public).Sign(nil, data, crypto.Hash(0)); err == nil {
				t.Error("signed after its time")
			}
			if _, err := in.Until(public); err == nil {
				t.Error("listed after its time")
			}
			in.gone(t)
		})
	}
}

// An agent that nobody asks ends as well, and hangs up on those who are connected.
func TestEndsUnasked(t *testing.T) {
	h := newHands()
	in := serveInside(t, h.clock(), time.Hour)
	conn, err := net.Dial("unix", in.at.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := protocol(conn).List(); err != nil { // it is being served
		t.Fatal(err)
	}
	h.move(time.Hour, 0)
	in.gone(t)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("still connected: %v", err)
	}
}

func TestLock(t *testing.T) {
	in := serveInside(t, newClock(), time.Hour)
	if was, err := in.Lock(); err != nil || !was {
		t.Errorf("%v, %v", was, err)
	}
	in.gone(t)
	if was, err := in.Lock(); err != nil || was {
		t.Errorf("once more: %v, %v", was, err)
	}
}

// Without its socket nobody could lock it any more.
func TestEndsWithoutItsSocket(t *testing.T) {
	for name, take := range map[string]func(at paths.KeyAgent) error{
		"removed": func(at paths.KeyAgent) error { return os.RemoveAll(at.Dir()) },
		"moved":   func(at paths.KeyAgent) error { return os.Rename(at.Dir(), at.Dir()+"-") },
	} {
		t.Run(name, func(t *testing.T) {
			in := serveInside(t, newClock(), time.Hour)
			if err := take(in.at); err != nil {
				t.Fatal(err)
			}
			in.gone(t)
		})
	}
}

// A second agent of the same key file replaces the first, and is not disturbed by
// the end of that.
func TestReplaced(t *testing.T) {
	in := serveInside(t, newClock(), time.Hour)
	s, err := newServer(key(2), newDeadline(time.Now().Add(time.Hour), newClock()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), in.at, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx, l) }()
	select {
	case <-in.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the first agent does not end")
	}
	if _, err := in.Until(keys.PublicOf(key(2))); err != nil {
		t.Errorf("the second: %v", err)
	}
	if _, err := in.Until(public); !errors.Is(err, ErrNotRunning) {
		t.Errorf("the first: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The protocol can do more; this agent does not.
func TestRefuses(t *testing.T) {
	in := serveInside(t, newClock(), time.Hour)
	for name, do := range map[string]func(agent.Agent) error{
		"add":    func(a agent.Agent) error { return a.Add(agent.AddedKey{PrivateKey: key(2)}) },
		"lock":   func(a agent.Agent) error { return a.Lock([]byte("x")) },
		"unlock": func(a agent.Agent) error { return a.Unlock([]byte("x")) },
	} {
		err := in.call(func(conn net.Conn) error { return do(protocol(conn)) })
		if err == nil {
			t.Errorf("%s: done", name)
		}
		if _, err := in.Until(public); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	err := in.call(func(conn net.Conn) error {
		k, err := ssh.NewPublicKey(public.Key())
		if err != nil {
			return err
		}
		return protocol(conn).Remove(k)
	})
	if err != nil {
		t.Errorf("remove its key: %v", err)
	}
	in.gone(t)
}

// Callers that hold connections keep the others waiting no longer than they stay.
func TestTooManyCallers(t *testing.T) {
	in := serveInside(t, newClock(), time.Hour)
	conns := make([]net.Conn, maxConns)
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("unix", in.at.Socket()); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
		if _, err := protocol(conns[i]).List(); err != nil { // it is being served
			t.Fatal(err)
		}
	}
	if _, err := in.Until(public); err == nil {
		t.Error("one more was served")
	}
	for _, c := range conns {
		c.Close()
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := in.Until(public)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after all have left: %v", err)
		}
	}
}

// Nonsense on the socket costs the caller the connection, and nobody else.
func TestNonsense(t *testing.T) {
	in := serveInside(t, newClock(), time.Hour)
	for name, b := range map[string][]byte{
		"nothing":      nil,
		"empty":        {0, 0, 0, 0},
		"too large":    {0xff, 0xff, 0xff, 0xff, 13},
		"cut":          {0, 0, 0, 9, 13, 1},
		"unknown":      {0, 0, 0, 1, 200},
		"sign nothing": {0, 0, 0, 1, 13},
	} {
		err := in.call(func(conn net.Conn) error {
			if _, err := conn.Write(b); err != nil {
				return err
			}
			if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, conn)
			return err
		})
		if err != nil && !hungUp(err) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := in.Until(public); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// liar lists every key and signs with another one.
type liar struct{ agent.Agent }

func (l liar) Sign(ssh.PublicKey, []byte) (*ssh.Signature, error) {
	return &ssh.Signature{Format: ssh.KeyAlgoED25519, Blob: ed25519.Sign(key(2), data)}, nil
}

func TestSignatureIsChecked(t *testing.T) {
	_, at := newPlace(t)
	if err := at.Create(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", at.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = agent.ServeAgent(liar{agent.NewKeyring()}, conn) // until the client has hung up
	}()
	if sig, err := NewClient(at).Signer(public).Sign(nil, data, crypto.Hash(0)); err == nil {
		t.Errorf("took %x", sig)
	}
	<-served
}

func TestUntilOf(t *testing.T) {
	for comment, ok := range map[string]bool{
		"realm owner key until 2026-11-22T10:00:00Z": true,
		"realm owner key until tomorrow":             false,
		"realm owner key until ":                     false,
		"me@home":                                    false,
		"":                                           false,
	} {
		if _, err := untilOf(comment); (err == nil) != ok {
			t.Errorf("%q: %v", comment, err)
		}
	}
}
