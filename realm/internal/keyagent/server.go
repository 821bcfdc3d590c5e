package keyagent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/sync/errgroup"
)

const (
	maxConns = 16
	// lookAround is how often the agent looks at the clock and at its socket. A
	// timer alone would not do: it stands still while the machine sleeps.
	lookAround = time.Second
	// lastWords is how long a caller may take for an answer when the agent ends.
	lastWords = time.Second
)

// deadline is the end of an agent's life.
type deadline struct {
	now   func() time.Time
	start time.Time     // with the monotonic clock
	life  time.Duration // from start, on that clock
	until time.Time     // on the wall clock
}

func newDeadline(until time.Time, now func() time.Time) deadline {
	start := now()
	until = until.Round(0)
	return deadline{now, start, until.Sub(start.Round(0)), until}
}

func (d deadline) passed() bool {
	now := d.now()
	return !now.Round(0).Before(d.until) || now.Sub(d.start) >= d.life
}

// server holds one key until its deadline.
type server struct {
	ring agent.Agent
	end  deadline
	stop context.CancelFunc // ends serve
}

// commentPrefix and a time (RFC 3339) are the comment of the key, by which
// clients know how long the agent lives.
const commentPrefix = "realm owner key until "

func newServer(key ed25519.PrivateKey, end deadline) (*server, error) {
	ring := agent.NewKeyring()
	err := ring.Add(agent.AddedKey{PrivateKey: key, Comment: commentPrefix + end.until.UTC().Format(time.RFC3339)})
	if err != nil {
		return nil, fmt.Errorf("hold key: %w", err)
	}
	return &server{ring: ring, end: end}, nil
}

// serve answers until the deadline, the end of ctx, a call to forget the key, or
// until there is no other way to reach it any more, and returns when all
// connections are closed. present reports whether l can still be found.
func (s *server) serve(ctx context.Context, l net.Listener, present func() bool) error {
	ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer s.stop()
		return s.watch(ctx, present)
	})
	g.Go(func() error {
		<-ctx.Done()
		return l.Close()
	})
	g.Go(func() error { return s.accept(ctx, l) })
	return g.Wait()
}

func (s *server) watch(ctx context.Context, present func() bool) error {
	t := time.NewTicker(lookAround)
	defer t.Stop()
	for !s.end.passed() && present() {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
	return nil
}

func (s *server) accept(ctx context.Context, l net.Listener) error {
	var conns errgroup.Group
	conns.SetLimit(maxConns)
	for {
		conn, err := l.Accept()
		if err != nil {
			_ = conns.Wait() // they have no errors
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept: %w", err)
		}
		if !conns.TryGo(func() error { s.talk(ctx, conn); return nil }) {
			conn.Close()
		}
	}
}

// talk answers one caller until either side ends. At the end of ctx the answer
// under way is still given.
func (s *server) talk(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	done := context.AfterFunc(ctx, func() {
		now := time.Now()
		_ = conn.SetReadDeadline(now) // these fail only once it is closed
		_ = conn.SetWriteDeadline(now.Add(lastWords))
	})
	defer done()
	_ = agent.ServeAgent(s, conn) // the caller has hung up, or said nonsense
}

var (
	errEnded   = errors.New("the time of this agent is over")
	errRefused = errors.New("this agent holds one key, and nothing is changed in it")
)

// List implements [agent.Agent].
func (s *server) List() ([]*agent.Key, error) {
	if s.end.passed() {
		s.stop()
		return nil, errEnded
	}
	return s.ring.List()
}

// Sign implements [agent.Agent].
func (s *server) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	if s.end.passed() {
		s.stop()
		return nil, errEnded
	}
	return s.ring.Sign(key, data)
}

// RemoveAll implements [agent.Agent]: it is how the agent is ended.
func (s *server) RemoveAll() error {
	defer s.stop()
	return s.ring.RemoveAll()
}

// Remove implements [agent.Agent]: without its one key the agent has no purpose.
func (s *server) Remove(ssh.PublicKey) error { return s.RemoveAll() }

// Add implements [agent.Agent].
func (s *server) Add(agent.AddedKey) error { return errRefused }

// Lock implements [agent.Agent].
func (s *server) Lock([]byte) error { return errRefused }

// Unlock implements [agent.Agent].
func (s *server) Unlock([]byte) error { return errRefused }

// Signers implements [agent.Agent]: callers on the socket never ask for it.
func (s *server) Signers() ([]ssh.Signer, error) { return nil, errRefused }

// untilOf reads the time out of a key's comment.
func untilOf(comment string) (time.Time, error) {
	text, ok := strings.CutPrefix(comment, commentPrefix)
	if !ok {
		return time.Time{}, fmt.Errorf("comment %.80q: want %q and a time", comment, commentPrefix)
	}
	return time.Parse(time.RFC3339, text)
}
