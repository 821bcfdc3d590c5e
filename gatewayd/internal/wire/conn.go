package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Listener is ln whose connections carry only requests whose heads and the framing
// of whose bodies are right. refused, unless nil, is called once for each that does not; it
// must not block.
func Listener(ln net.Listener, refused func(error)) net.Listener {
	return &listener{ln, refused}
}

type listener struct {
	net.Listener
	refused func(error)
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, refused: l.refused}, nil
}

// State is for [http.Server.ConnState]: from a connection that a handler takes over
// the package steps aside.
func State(c net.Conn, s http.ConnState) {
	if c, ok := c.(*conn); ok && s == http.StateHijacked {
		c.aside.Store(true)
	}
}

// conn is a connection under net/http, which has one goroutine at a time in Read.
type conn struct {
	net.Conn
	refused func(error)
	aside   atomic.Bool

	follow  follower
	wrong   *Error // what comes next is not passed on
	inHead  bool   // and stands in a head, not in a body
	fillers int
	done    bool // wrong has been answered
}

// Read passes on what comes as long as it is right.
func (c *conn) Read(p []byte) (int, error) {
	if c.aside.Load() || c.follow.part == partOther {
		return c.Conn.Read(p)
	}
	if c.wrong != nil {
		return c.refuse(p)
	}
	n, err := c.Conn.Read(p)
	right, wrong := c.follow.take(p[:n])
	if wrong == nil {
		return n, err
	}
	c.wrong, c.inHead = wrong, c.follow.part == partHead
	if c.refused != nil {
		c.refused(wrong)
	}
	if right > 0 {
		return right, nil
	}
	return c.refuse(p)
}

// maxFillers bounds reads of one byte after a refusal.
const maxFillers = 16

// refuse stands for the bytes that are not passed on. In a body, whoever reads it gets the
// error, and says what he likes to the client; there is nothing to read after that.
//
// A head is refused when its turn has come: net/http has written the answers to the
// requests before it by the time that it reads more than a byte. It reads a single one
// while a handler runs, to see the client leave: an error would tell the
// handler so. It gets a byte that completes nothing.
func (c *conn) refuse(p []byte) (int, error) {
	if !c.inHead {
		return 0, c.wrong
	}
	if len(p) == 1 && c.fillers < maxFillers {
		c.fillers++
		p[0] = 'x'
		return 1, nil
	}
	if !c.done {
		c.done = true
		c.answer()
	}
	// What net/http takes for a client that has gone, and answers no more.
	return 0, &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: c.wrong}
}

// How long a client that is refused has to take the answer, and how much of what it
// still sends is read meanwhile. Closed with bytes unread, the connection would be
// reset, and the answer lost with it.
const (
	writeTime  = time.Second
	lingerTime = 500 * time.Millisecond
	lingerSize = 256 << 10
)

// answer says what is wrong and ends the connection.
func (c *conn) answer() {
	body, err := json.Marshal(api.ErrorReply{Error: "refused: " + c.wrong.Reason})
	if err != nil {
		return // it is a string
	}
	_ = c.SetWriteDeadline(time.Now().Add(writeTime)) // on errors nobody is there
	_, err = fmt.Fprintf(c.Conn, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		c.wrong.Status, http.StatusText(c.wrong.Status), time.Now().UTC().Format(http.TimeFormat), len(body)+1, body)
	if err != nil || c.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, c.Conn, lingerSize)
}

// NetConn is the connection below, as of a [crypto/tls.Conn].
func (c *conn) NetConn() net.Conn { return c.Conn }

// CloseWrite implements what net/http looks for to end a connection gently.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// ReadFrom lets the system copy where it can.
func (c *conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }
