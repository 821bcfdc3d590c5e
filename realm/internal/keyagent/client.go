package keyagent

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// ErrNotRunning says that no agent holds the key.
var ErrNotRunning = errors.New("no agent holds this key")

// patience is how long an agent, which is on the same machine, may take.
const patience = 5 * time.Second

// Client talks to the agent of one key file, if there is one.
type Client struct{ at paths.KeyAgent }

// NewClient returns a client of the agent at that place.
func NewClient(at paths.KeyAgent) Client { return Client{at} }

// call has fn talk to the agent. Nobody there is [ErrNotRunning].
func (c Client) call(fn func(net.Conn) error) error {
	err := c.at.Check()
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotRunning
	}
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("unix", c.at.Socket(), patience) //nolint:noctx // a crypto.Signer is given no context
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("call key agent: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("call key agent: %w", err)
	}
	return fn(conn)
}

// protocol hides that conn can be closed, so that the client starts no goroutine.
func protocol(conn net.Conn) agent.Agent {
	return agent.NewClient(struct{ io.ReadWriter }{conn})
}

// Until returns when the agent that holds key ends; without one it is [ErrNotRunning].
func (c Client) Until(key keys.Public) (until time.Time, err error) {
	want, err := ssh.NewPublicKey(key.Key())
	if err != nil {
		return time.Time{}, fmt.Errorf("ask key agent: %w", err)
	}
	err = c.call(func(conn net.Conn) error {
		held, err := protocol(conn).List()
		if err != nil {
			return fmt.Errorf("ask key agent: %w", err)
		}
		for _, k := range held {
			if string(k.Blob) == string(want.Marshal()) {
				until, err = untilOf(k.Comment)
				return err
			}
		}
		return fmt.Errorf("%w: it holds another one", ErrNotRunning)
	})
	return until, err
}

// Lock ends the agent, whatever key it holds, and returns when it has forgotten
// it. It reports whether there was one.
func (c Client) Lock() (was bool, err error) {
	err = c.call(func(conn net.Conn) error {
		was = true
		if err := protocol(conn).RemoveAll(); err != nil && !hungUp(err) {
			return fmt.Errorf("end key agent: %w", err)
		}
		// It hangs up when it ends.
		if _, err := io.Copy(io.Discard, conn); err != nil && !hungUp(err) {
			return fmt.Errorf("end key agent: %w", err)
		}
		return nil
	})
	if errors.Is(err, ErrNotRunning) {
		return false, nil
	}
	return was, err
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Signer signs with key through the agent.
func (c Client) Signer(key keys.Public) crypto.Signer { return signer{c, key} }

type signer struct {
	client Client
	key    keys.Public
}

// Public implements [crypto.Signer].
func (s signer) Public() crypto.PublicKey { return s.key.Key() }

// Sign implements [crypto.Signer] for data that is not hashed. A signature that
// is not of the key is never returned, whoever answers.
func (s signer) Sign(_ io.Reader, data []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	if opts.HashFunc() != crypto.Hash(0) {
		return nil, errors.New("sign through key agent: it takes messages, not hashes")
	}
	key, err := ssh.NewPublicKey(s.key.Key())
	if err != nil {
		return nil, fmt.Errorf("sign through key agent: %w", err)
	}
	err = s.client.call(func(conn net.Conn) error {
		got, err := protocol(conn).Sign(key, data)
		if err != nil {
			return fmt.Errorf("sign through key agent: %w", err)
		}
		if got.Format != ssh.KeyAlgoED25519 || !ed25519.Verify(s.key.Key(), data, got.Blob) {
			return errors.New("sign through key agent: its signature is not of this key: end it with realm key lock")
		}
		sig = got.Blob
		return nil
	})
	return sig, err
}
