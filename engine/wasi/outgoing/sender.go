package outgoing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/realm-mesh/realm/engine/wasi"
)

// Config says where requests may go.
type Config struct {
	Allow       []string    // grants: see the package's documentation. None: nowhere
	HeaderBytes int64       // the most of a response's headers; 0: 64 KiB
	TLS         *tls.Config // nil: what the system trusts
	// Connect is the most that connecting takes, if the guest does not ask for less; 0: 10 s.
	Connect time.Duration
}

// Errors that the error of [Sender.Send] wraps.
var (
	ErrRequestDenied = errors.New("the program is not granted to send requests there")
	ErrIPProhibited  = errors.New("the address is none that was granted")
)

// Sender sends requests. It is safe for use by several goroutines, and implements
// [wasi.Sender].
type Sender struct {
	grants    []grant
	transport *http.Transport
	connect   time.Duration
}

const (
	headerBytes    = 64 << 10
	connectTimeout = 10 * time.Second
	idleTimeout    = 30 * time.Second
	idlePerHost    = 4
	idleConns      = 32
)

// New returns a sender. The caller must close it when no request is under way any more.
func New(c Config) (*Sender, error) {
	s := &Sender{connect: c.Connect}
	for _, a := range c.Allow {
		g, err := parseGrant(a)
		if err != nil {
			return nil, err
		}
		s.grants = append(s.grants, g)
	}
	if s.connect <= 0 {
		s.connect = connectTimeout
	}
	if c.HeaderBytes <= 0 {
		c.HeaderBytes = headerBytes
	}
	dialer := &net.Dialer{Timeout: s.connect, ControlContext: s.control}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	s.transport = &http.Transport{
		Proxy:                  nil, // whatever the environment says
		DialContext:            dialer.DialContext,
		TLSClientConfig:        c.TLS.Clone(),
		TLSHandshakeTimeout:    s.connect,
		DisableCompression:     true, // the guest gets what was sent
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: c.HeaderBytes,
		Protocols:              protocols,
	}
	return s, nil
}

// Close closes connections that are kept for other requests.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

type grantsKey struct{}

// control is asked before each connection, of an address that a name meant.
func (s *Sender) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	grants, _ := ctx.Value(grantsKey{}).([]grant) // Send has put it there
	to, err := netip.ParseAddrPort(address)
	if err == nil && slices.ContainsFunc(grants, func(g grant) bool { return g.allows(to.Addr()) }) {
		return nil
	}
	return &wasi.HTTPError{Code: wasi.DestinationIPProhibited, Err: fmt.Errorf("connect to %s: %w", address, ErrIPProhibited)}
}

// Send implements [wasi.Sender].
func (s *Sender) Send(req *http.Request, t wasi.Timeouts) (*http.Response, error) {
	var grants []grant
	for _, g := range s.grants {
		if g.covers(req.URL) {
			grants = append(grants, g)
		}
	}
	if len(grants) == 0 {
		closeBody(req)
		return nil, &wasi.HTTPError{Code: wasi.HTTPRequestDenied, Err: fmt.Errorf("send request to %s: %w", req.URL.Host, ErrRequestDenied)}
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(req.Context(), grantsKey{}, grants))
	late := time.AfterFunc(s.patience(t), func() { cancel(&wasi.HTTPError{Code: wasi.ConnectionTimeout}) })
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { late.Stop() }})
	resp, err := s.transport.RoundTrip(req.WithContext(ctx))
	late.Stop()
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body.Close()
		err = &wasi.HTTPError{Code: wasi.HTTPUpgradeFailed}
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, explain(err)
	}
	resp.Body = &responseBody{resp.Body, cancel}
	return resp, nil
}

// patience is how long connecting may take.
func (s *Sender) patience(t wasi.Timeouts) time.Duration {
	if t.Connect > 0 {
		return min(t.Connect, s.connect)
	}
	return s.connect
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// responseBody is a body whose errors are those of wasi:http.
type responseBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Read implements [io.Reader].
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, &wasi.HTTPError{Code: wasi.HTTPResponseIncomplete, Err: err}
	}
	return n, explain(err)
}

// Close implements [io.Closer].
func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
