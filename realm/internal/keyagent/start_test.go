package keyagent

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// started is an agent in a process of its own.
type started struct {
	Client
	at    paths.KeyAgent
	until time.Time
	conn  net.Conn // open until it ends
}

func options(keyFile string, life time.Duration) Options {
	return Options{Key: held, KeyFile: keyFile, Life: life, Args: []string{agentName}, Env: os.Environ()}
}

func start(t *testing.T, o Options, at paths.KeyAgent) *started {
	t.Helper()
	until, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := &started{Client: NewClient(at), at: at, until: until}
	if s.conn, err = net.Dial("unix", at.Socket()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.Lock(); err != nil {
			t.Error(err)
		}
		s.conn.Close()
	})
	if _, err := protocol(s.conn).List(); err != nil { // it is being served
		t.Fatal(err)
	}
	return s
}

// ends wants the process to hang up within d, and to have left nothing.
func (s *started) ends(t *testing.T, d time.Duration) {
	t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("still there after %s: %v", d, err)
	}
	if _, err := os.Lstat(s.at.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %s (%v)", s.at.Dir(), err)
	}
}

func TestProcess(t *testing.T) {
	file, at := newPlace(t)
	s := start(t, options(file, time.Minute), at)
	if left := time.Until(s.until); left > time.Minute || left < 30*time.Second {
		t.Errorf("for %s, want a minute", left)
	}
	if until, err := s.Until(public); err != nil || until.Sub(s.until).Abs() > time.Second {
		t.Errorf("until %s, %v; want %s", until, err, s.until)
	}
	if _, err := s.Signer(public).Sign(nil, data, crypto.Hash(0)); err != nil {
		t.Error(err)
	}
	if fi, err := os.Lstat(at.Socket()); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", fi.Mode(), err)
	}
	if was, err := s.Lock(); err != nil || !was {
		t.Errorf("lock: %v, %v", was, err)
	}
	s.ends(t, 5*time.Second)
	if _, err := s.Signer(public).Sign(nil, data, crypto.Hash(0)); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after lock: %v", err)
	}
}

func TestProcessEndsByItself(t *testing.T) {
	file, at := newPlace(t)
	s := start(t, options(file, 2*time.Second), at)
	s.ends(t, 20*time.Second)
	if early := time.Until(s.until); early > 0 {
		t.Errorf("%s too early", early)
	}
}

func TestNextProcessReplacesTheLast(t *testing.T) {
	file, at := newPlace(t)
	first := start(t, options(file, time.Minute), at)
	o := options(file, time.Minute)
	o.Key = key(2)
	second := start(t, o, at)
	if err := first.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := first.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the first is still there: %v", err)
	}
	if _, err := second.Until(keys.PublicOf(key(2))); err != nil {
		t.Error(err)
	}
}

func TestStartFails(t *testing.T) {
	file, at := newPlace(t)
	for name, tt := range map[string]struct {
		change func(*Options)
		text   string
	}{
		"no time":    {func(o *Options) { o.Life = 0 }, "want 1s to 24h"},
		"too long":   {func(o *Options) { o.Life = MaxLife + 1 }, "want 1s to 24h"},
		"dumb":       {func(o *Options) { o.Args = []string{silentName} }, "start key agent"},
		"stuck":      {func(o *Options) { o.Args = []string{stuckName} }, "deadline exceeded"},
		"no runtime": {func(o *Options) { o.Env = []string{"XDG_RUNTIME_DIR=/" + strings.Repeat("r", 200)} }, "choose a shorter"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		o := options(file, time.Minute)
		tt.change(&o)
		if _, err := Start(ctx, o); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, want %q", name, err, tt.text)
		}
		cancel()
	}
	if _, err := NewClient(at).Until(public); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after that: %v", err)
	}
}

// What is handed over is checked; nothing goes on that nobody was told of.
func TestRunRefuses(t *testing.T) {
	file, at := newPlace(t)
	valid := handover{held.Seed(), file, time.Now().Add(time.Minute)}
	encode := func(change func(*handover)) string {
		h := valid
		change(&h)
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, tt := range map[string]struct{ in, text string }{
		"nothing":     {"", "EOF"},
		"nonsense":    {"hello", "invalid character"},
		"short seed":  {encode(func(h *handover) { h.Seed = h.Seed[1:] }), "seed of 31 bytes"},
		"no file":     {encode(func(h *handover) { h.KeyFile = "" }), "key file is missing"},
		"no end":      {encode(func(h *handover) { h.Until = time.Time{} }), "until is missing"},
		"far end":     {encode(func(h *handover) { h.Until = time.Now().Add(2 * MaxLife) }), "at most 24h"},
		"more fields": {`{"admin":1,` + encode(func(*handover) {})[1:], "unknown field"},
		"too large":   {strings.Repeat(" ", maxHandover+1), "too large"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Args[0] = agentName
		cmd.Stdin = strings.NewReader(tt.in)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Run(); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v, %v", name, err, ctx.Err())
		}
		cancel()
		var r reply
		if err := json.Unmarshal(out.Bytes(), &r); err != nil || !strings.Contains(r.Error, tt.text) {
			t.Errorf("%s: said %s (%v), want %q", name, out.Bytes(), err, tt.text)
		}
	}
	if _, err := os.Lstat(at.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// A starter that has gone away has told nobody of the agent.
func TestNobodyToTell(t *testing.T) {
	file, at := newPlace(t)
	msg, err := json.Marshal(handover{held.Seed(), file, time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Args[0] = agentName
	cmd.Stdin, cmd.Stdout = bytes.NewReader(msg), w
	if err := cmd.Run(); err == nil || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
	if _, err := os.Lstat(at.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// FuzzHandover: whatever comes through the pipe, it is a key and a time, or an error.
func FuzzHandover(f *testing.F) {
	good, err := json.Marshal(handover{held.Seed(), "/keys/owner.pem", time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(good), "", "{}", `{"seed":"AA=="}`, `{"until":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHandover(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := newServer(h.key(), newDeadline(h.Until, newClock())); err != nil {
			t.Errorf("%q was taken, but: %v", b, err)
		}
	})
}
