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

// clock tells the time in two ways that go apart when a machine sleeps or somebody
// sets its clock.
type clock struct {
	wall func() time.Time
	ran  func() time.Duration // since some moment, never backwards
}

func newClock() clock {
	start := time.Now()
	return clock{func() time.Time { return time.Now().Round(0) }, func() time.Duration { return time.Since(start) }}
}

// deadline is the end of an agent's life, by both ways: the first counts.
type deadline struct {
	clock clock
	until time.Time
	ran   time.Duration
}

func newDeadline(until time.Time, c clock) deadline {
	return deadline{c, until, c.ran() + until.Sub(c.wall())}
}

func (d deadline) left() time.Duration {
	return min(d.until.Sub(d.clock.wall()), d.ran-d.clock.ran())
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
// until callers cannot find it any more. When it hangs up on those who are
// connected, nobody else can reach it and nothing is left of it on disk.
func (s *server) serve(ctx context.Context, l *listener) error {
	ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	talks, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var g errgroup.Group
	g.Go(func() error {
		defer s.stop()
		s.watch(ctx, l)
		return nil
	})
	g.Go(func() error {
		defer s.stop()
		return s.accept(ctx, talks, l)
	})
	g.Go(func() error {
		<-ctx.Done()
		defer hangUp()
		err := l.Close()
		l.remove()
		return err
	})
	return g.Wait()
}

// watch returns when there is a reason to end.
func (s *server) watch(ctx context.Context, l *listener) {
	t := time.NewTicker(lookAround)
	defer t.Stop()
	for s.end.left() > 0 && l.present() {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// accept returns when l is closed and all talks have ended.
func (s *server) accept(ctx, talks context.Context, l *listener) error {
	var conns errgroup.Group
	conns.SetLimit(maxConns)
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				err = nil // it was closed
			} else {
				s.stop()
				err = fmt.Errorf("accept: %w", err)
			}
			return errors.Join(err, conns.Wait())
		}
		if !conns.TryGo(func() error { s.talk(talks, conn); return nil }) {
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
	if s.end.left() <= 0 {
		s.stop()
		return nil, errEnded
	}
	return s.ring.List()
}

// Sign implements [agent.Agent].
func (s *server) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	if s.end.left() <= 0 {
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
