package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// lookEvery is how often files are looked at, at most: when a client comes.
const lookEvery = time.Second

// Files are certificates in files of PEM, and their keys. They are read again when they
// have changed; a pair that cannot be used leaves the one before it in its place.
type Files struct {
	Pairs []Pair
	Log   *slog.Logger
}

// Pair is the file of a certificate, with those that lead to its root, and of its key.
type Pair struct{ Cert, Key string }

// Begin implements [Certs].
func (f *Files) Begin(Public) (TLS, error) {
	l, err := f.open()
	if err != nil {
		return TLS{}, err
	}
	return TLS{
		Config: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: l.choose},
		Plain:  func(next http.Handler) http.Handler { return next },
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		},
	}, nil
}

func (f *Files) open() (*loaded, error) {
	l := &loaded{log: f.Log, looked: time.Now()}
	for _, p := range f.Pairs {
		c := &pair{Pair: p}
		if err := c.load(); err != nil {
			return nil, err
		}
		l.pairs = append(l.pairs, c)
	}
	if len(l.pairs) == 0 {
		return nil, errors.New("there is no certificate: name one with --edge-cert and --edge-key")
	}
	return l, nil
}

// loaded are certificates that are in use.
type loaded struct {
	log *slog.Logger

	mu     sync.Mutex
	pairs  []*pair
	looked time.Time
}

// choose returns the first certificate that suits the client, else the first of all.
func (l *loaded) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := l.fits(hello); c != nil {
		return c, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pairs[0].cert, nil
}

// fits returns the first certificate that suits the client; nil: none does.
func (l *loaded) fits(hello *tls.ClientHelloInfo) *tls.Certificate {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.looked) >= lookEvery {
		l.looked = now
		for _, p := range l.pairs {
			p.look(l.log)
		}
	}
	for _, p := range l.pairs {
		if hello.SupportsCertificate(p.cert) == nil {
			return p.cert
		}
	}
	return nil
}

// has reports whether a certificate is for the host.
func (l *loaded) has(host string) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.pairs, func(p *pair) bool { return p.cert.Leaf.VerifyHostname(host) == nil })
}

// pair is a certificate, and which files it was read from.
type pair struct {
	Pair
	cert     *tls.Certificate
	from     [2]fs.FileInfo
	complain string // what was said last of files that cannot be used
}

// look reads the files again if they are others than before.
func (p *pair) look(log *slog.Logger) {
	is, err := p.stat()
	if err == nil && same(is[0], p.from[0]) && same(is[1], p.from[1]) {
		return
	}
	if err == nil {
		err = p.load()
	}
	switch {
	case err == nil:
		p.complain = ""
		log.Info("a certificate was read again", "file", p.Cert, "ends", p.cert.Leaf.NotAfter)
	case p.complain != err.Error():
		p.complain = err.Error()
		log.Error("a certificate cannot be read again; the one before it is used", telemetry.Error(err))
	}
}

func (p *pair) load() error {
	is, err := p.stat()
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		return fmt.Errorf("read certificate %s with key %s: %w", p.Cert, p.Key, err)
	}
	p.cert, p.from = &cert, is
	return nil
}

func (p *pair) stat() (is [2]fs.FileInfo, err error) {
	for i, name := range []string{p.Cert, p.Key} {
		if is[i], err = os.Stat(name); err != nil {
			return is, fmt.Errorf("read certificate: %w", err)
		}
	}
	return is, nil
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
