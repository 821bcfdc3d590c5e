package owner

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/keyagent"
)

// ErrLocked says that a sealed key cannot sign now.
var ErrLocked = errors.New("your owner key is locked")

// Agent finds the process that holds k while it is unlocked.
func (k Key) Agent() (keyagent.Client, error) { return agentOf(k.Path) }

func agentOf(path string) (keyagent.Client, error) {
	at, err := paths.OpenKeyAgent(path)
	return keyagent.NewClient(at), err
}

// OrOpen returns k with open as the way to its private half when it is sealed and
// no agent holds it. open is called once at most, and not before it is needed.
func (k Key) OrOpen(open func() (Secret, error)) Key {
	if k.Sealed() {
		k.signer = &lockedSigner{path: k.Path, public: k.file.public, open: open}
	}
	return k
}

// Ready makes sure that k can sign now, so that a person is asked for the
// passphrase before a long piece of work and not after it.
func (k Key) Ready() error {
	if s, ok := k.signer.(*lockedSigner); ok {
		return s.ready()
	}
	return nil
}

// lockedSigner signs with a sealed key: through its agent while there is one,
// else with what open returns, which it keeps.
type lockedSigner struct {
	path   string
	public keys.Public
	open   func() (Secret, error) // nil: there is no other way than the agent

	mu      sync.Mutex
	private ed25519.PrivateKey // once open was called
}

// Public implements [crypto.Signer].
func (l *lockedSigner) Public() crypto.PublicKey { return l.public.Key() }

// Sign implements [crypto.Signer].
func (l *lockedSigner) Sign(rand io.Reader, data []byte, opts crypto.SignerOpts) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.private == nil {
		if agent, err := agentOf(l.path); err == nil {
			if sig, err := agent.Signer(l.public).Sign(rand, data, opts); err == nil {
				return sig, nil
			}
		}
		if err := l.unlock(); err != nil {
			return nil, err
		}
	}
	return l.private.Sign(rand, data, opts)
}

func (l *lockedSigner) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.private != nil {
		return nil
	}
	if agent, err := agentOf(l.path); err == nil {
		if _, err := agent.Until(l.public); err == nil {
			return nil
		}
	}
	return l.unlock()
}

func (l *lockedSigner) unlock() error {
	if l.open == nil {
		return fmt.Errorf("%w (%s): unlock it for a while with realm key unlock", ErrLocked, l.path)
	}
	s, err := l.open()
	if err != nil {
		return err
	}
	l.private = s.Private
	return nil
}
