package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// door shakes hands with clients, and sorts connections by the protocol that was agreed
// on: net/http must see that of HTTP/2 as a *tls.Conn, and that of HTTP/1 only through
// package wire.
type door struct {
	ln       net.Listener
	cfg      *tls.Config
	log      *slog.Logger
	one, two *corridor // of HTTP/1.1 and HTTP/2
}

func newDoor(ln net.Listener, cfg *tls.Config, log *slog.Logger) *door {
	d := &door{ln: ln, cfg: cfg.Clone(), log: log, one: newCorridor(ln.Addr()), two: newCorridor(ln.Addr())}
	d.cfg.NextProtos = append([]string{"h2", "http/1.1"}, extra(cfg.NextProtos)...)
	return d
}

// extra are protocols that are agreed on for the handshake alone, such as acme-tls/1.
func extra(protocols []string) (out []string) {
	for _, p := range protocols {
		if p != "h2" && p != "http/1.1" {
			out = append(out, p)
		}
	}
	return out
}

// run accepts until ctx or the listener ends. Its corridors are closed by the servers that
// stand in them.
func (d *door) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { d.ln.Close() })
	defer stop()
	var shaking sync.WaitGroup
	defer shaking.Wait()
	for {
		c, err := d.ln.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case temporary(err):
			d.log.Warn("connection not accepted", telemetry.Error(err))
			time.Sleep(acceptAgain)
			continue
		case err != nil:
			return err
		}
		shaking.Go(func() { d.shake(ctx, c) })
	}
}

// acceptAgain is the pause after a connection could not be accepted, for want of files say.
const acceptAgain = 50 * time.Millisecond

// temporary is what net/http asks of such errors too.
func temporary(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary()
}

// shake agrees on a protocol with a client and gives it on.
func (d *door) shake(ctx context.Context, c net.Conn) {
	t := tls.Server(c, d.cfg)
	limit, cancel := context.WithTimeout(ctx, HeaderTimeout)
	defer cancel()
	if err := t.HandshakeContext(limit); err != nil {
		d.log.Debug("TLS handshake failed", telemetry.Error(err))
		d.plain(err)
		c.Close()
		return
	}
	switch t.ConnectionState().NegotiatedProtocol {
	case "h2":
		d.two.give(t)
	case "", "http/1.1":
		d.one.give(t)
	default:
		t.Close() // what it was about is done
	}
}

// plain tells who speaks HTTP without TLS.
func (d *door) plain(err error) {
	var head tls.RecordHeaderError
	if !errors.As(err, &head) || head.Conn == nil {
		return
	}
	switch string(head.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		_, _ = head.Conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nThis port speaks HTTPS: ask for https://…\n"))
	}
}

// corridor is a listener of connections that others have accepted.
type corridor struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newCorridor(addr net.Addr) *corridor {
	return &corridor{addr: addr, conns: make(chan net.Conn), ended: make(chan struct{})}
}

func (c *corridor) give(nc net.Conn) {
	select {
	case c.conns <- nc:
	case <-c.ended:
		nc.Close()
	}
}

// Accept implements [net.Listener].
func (c *corridor) Accept() (net.Conn, error) {
	select {
	case nc := <-c.conns:
		return nc, nil
	case <-c.ended:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (c *corridor) Close() error {
	c.once.Do(func() { close(c.ended) })
	return nil
}

// Addr implements [net.Listener].
func (c *corridor) Addr() net.Addr { return c.addr }

type tlsKey struct{}

// rememberTLS is for [http.Server.ConnContext]: net/http does not see the TLS below
// package wire.
func rememberTLS(ctx context.Context, c net.Conn) context.Context {
	for {
		if t, ok := c.(*tls.Conn); ok {
			state := t.ConnectionState()
			return context.WithValue(ctx, tlsKey{}, &state)
		}
		upper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return ctx
		}
		c = upper.NetConn()
	}
}

// withTLS gives requests what rememberTLS has seen.
func withTLS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS, _ = r.Context().Value(tlsKey{}).(*tls.ConnectionState)
		next.ServeHTTP(w, r)
	})
}
