// Package local carries HTTP between the daemons of one node, over Unix sockets
// in the home. A caller shows the home's token: a sandboxed native job may run
// under the same user and reach the socket by path, but it cannot read the token.
// A request can take an open file along ([WithFile]).
package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// HeaderToken carries the token. It is not Authorization, which belongs to
// whoever calls a program through the gateway.
const HeaderToken = "Realm-Token"

// HeaderPeer names the member that a request came from. meshd sets it on what
// arrives from the mesh, and takes it off everything else that passes through it.
const HeaderPeer = "Realm-Peer"

// Timeouts of the servers and clients.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 90 * time.Second
	dialTimeout       = 2 * time.Second
)

// CreateToken makes the token of a home, unless there is one.
func CreateToken(h paths.Home) error {
	if _, err := os.Stat(h.Token()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b [32]byte
	rand.Read(b[:])
	return atomicfile.Write(h.Token(), []byte(hex.EncodeToString(b[:])), 0o600)
}

func readToken(h paths.Home) (string, error) {
	b, err := os.ReadFile(h.Token())
	if err != nil {
		return "", fmt.Errorf("read the home's token: %w", err)
	}
	if len(b) < 32 {
		return "", fmt.Errorf("read the home's token: %s is damaged; remove it and run realm up", h.Token())
	}
	return string(b), nil
}

// Listen opens d's socket; callers wait in its backlog until [Serve]. A stale
// socket is replaced: the launcher's lock makes sure that no other daemon d of
// this home lives.
func Listen(h paths.Home, d api.Daemon) (net.Listener, error) {
	path := h.Socket(d)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen for %s: %w", d, err)
	}
	ln, err := net.Listen("unix", path) //nolint:noctx // there is nothing to wait for
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", d, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("listen for %s: %w", d, errors.Join(err, ln.Close()))
	}
	return ln, nil
}

// Serve answers callers that show the home's token until ctx ends, then lets
// requests in flight finish for at most grace. It closes ln.
func Serve(ctx context.Context, h paths.Home, ln net.Listener, handler http.Handler, grace time.Duration) error {
	token, err := readToken(h)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := &http.Server{Handler: requireToken(token, handler), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }}
	return ServeUntil(ctx, srv, ln, grace)
}

// ServeUntil runs srv on ln until ctx ends, then lets requests in flight finish
// for at most grace and cuts the rest.
func ServeUntil(ctx context.Context, srv *http.Server, ln net.Listener, grace time.Duration) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err := srv.Shutdown(fresh)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		stopped <- err
	})
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return <-stopped
}

func requireToken(token string, next http.Handler) http.Handler {
	want := []byte(token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(HeaderToken)), want) != 1 {
			WriteError(w, http.StatusUnauthorized, errors.New("the token of this home is missing or wrong"))
			return
		}
		r.Header.Del(HeaderToken)
		next.ServeHTTP(w, r)
	})
}

// NewClient returns a client that reaches the daemons of h under URLs whose host
// is the daemon ("http://casd/blobs/…"). It follows no redirects.
func NewClient(h paths.Home) (*http.Client, error) {
	token, err := readToken(h)
	if err != nil {
		return nil, err
	}
	dial := dialerOf(h)
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			c, err := dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			return wide{c}, nil
		},
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     idleTimeout / 2,
		DisableCompression:  true,
	}
	return &http.Client{Transport: withToken{token, t, dial}, CheckRedirect: noRedirect}, nil
}

// dialer connects to the daemon that is the host of an address.
type dialer func(ctx context.Context, addr string) (*net.UnixConn, error)

func dialerOf(h paths.Home) dialer {
	d := net.Dialer{Timeout: dialTimeout}
	return func(ctx context.Context, addr string) (*net.UnixConn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		c, err := d.DialContext(ctx, "unix", h.Socket(api.Daemon(host)))
		if err != nil {
			return nil, err
		}
		return c.(*net.UnixConn), nil // as of every Unix socket
	}
}

// wide is a connection that takes the body of a request in large pieces.
type wide struct{ net.Conn }

// bodyBuffer is how large, in bytes: as much as a socket holds.
const bodyBuffer = 256 << 10

// ReadFrom implements [io.ReaderFrom], which the transport calls with a body.
func (w wide) ReadFrom(r io.Reader) (int64, error) {
	size := int64(bodyBuffer)
	if part, ok := r.(*io.LimitedReader); ok {
		size = min(size, part.N+1) // most bodies are small, and their end is to be seen
	}
	return io.CopyBuffer(struct{ io.Writer }{w.Conn}, r, make([]byte, max(size, 1)))
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type withToken struct {
	token string
	next  *http.Transport
	dial  dialer
}

// CloseIdleConnections implements what [http.Client.CloseIdleConnections] looks for.
func (t withToken) CloseIdleConnections() { t.next.CloseIdleConnections() }

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.WithContext(r.Context()) // not Clone: the caller fills in trailers while the body is read
	r.Header = r.Header.Clone()
	r.Header.Set(HeaderToken, t.token)
	if f, ok := r.Context().Value(sentKey{}).(*os.File); ok {
		return carrier(t.dial, f).RoundTrip(r)
	}
	return t.next.RoundTrip(r)
}

// DropOwn removes the headers that daemons speak among themselves: nobody else is to set
// them, or to see them.
func DropOwn(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Realm-") {
			delete(h, name)
		}
	}
}

// URL is the address of a path (which begins with a slash) on d's socket.
func URL(d api.Daemon, path string) string { return "http://" + string(d) + path }

// WriteError answers a request with an [api.ErrorReply].
func WriteError(w http.ResponseWriter, status int, err error) {
	WriteJSON(w, status, api.ErrorReply{Error: err.Error()})
}

// Marshal encodes v as it is sent: "<" stays one byte, so that what fits a cap does
// after it has passed through here, too.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// WriteJSON answers a request with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // people read it: "->", not "-\u003e"
	// The client has gone if this fails; there is nobody left to tell.
	_ = e.Encode(v)
}

// StatusError is an answer other than 2xx, in the words of the other side.
type StatusError struct {
	Status int
	api.ErrorReply
}

func (e *StatusError) Error() string { return e.ErrorReply.Error }

const maxErrorReply = 64 << 10

// CheckStatus returns a [*StatusError] for an answer other than 2xx, whose body it reads.
func CheckStatus(r *http.Response) error {
	if r.StatusCode/100 == 2 {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxErrorReply))
	if err != nil {
		return fmt.Errorf("%s: %w", r.Status, err)
	}
	e := &StatusError{Status: r.StatusCode}
	if api.Decode(b, maxErrorReply, &e.ErrorReply) != nil || e.ErrorReply.Error == "" {
		e.ErrorReply.Error = strings.TrimSpace(r.Status + " " + string(b[:min(len(b), 200)]))
	}
	return e
}

// Call sends a request whose body, if any, is in as JSON, and decodes the answer
// of at most limit bytes into out.
func Call(ctx context.Context, c *http.Client, method, url string, in any, out api.Validator, limit int) error {
	var body io.Reader
	if in != nil {
		b, err := Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, url, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := CheckStatus(resp); err != nil {
		return err
	}
	b, err := api.ReadAll(resp.Body, int64(limit))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	return api.Decode(b, limit, out)
}
