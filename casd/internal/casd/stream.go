package casd

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/casd/internal/store"
)

// idleReader reads a request's body; the sender may pause for at most idle.
type idleReader struct {
	body io.Reader
	ctl  *http.ResponseController
	idle time.Duration
}

func newIdleReader(w http.ResponseWriter, r *http.Request, idle time.Duration) *idleReader {
	return &idleReader{r.Body, http.NewResponseController(w), idle}
}

func (i *idleReader) Read(p []byte) (int, error) {
	if err := i.ctl.SetReadDeadline(time.Now().Add(i.idle)); err != nil {
		return 0, err
	}
	n, err := i.body.Read(p)
	if errors.Is(err, io.EOF) {
		// What follows, such as syncing the blob, may take longer than that. A
		// connection on which this fails is gone, which the answer will meet.
		_ = i.ctl.SetReadDeadline(time.Time{})
	}
	return n, err
}

// idleWriter writes an answer; the receiver may pause for at most idle.
type idleWriter struct {
	http.ResponseWriter
	idle time.Duration
}

// stride is how many bytes the receiver has to take within idle.
const stride = 256 << 10

func (i *idleWriter) Write(p []byte) (n int, err error) {
	ctl := http.NewResponseController(i.ResponseWriter)
	for first := true; first || len(p) > 0 && err == nil; first = false {
		if err := ctl.SetWriteDeadline(time.Now().Add(i.idle)); err != nil {
			return n, err
		}
		var m int
		m, err = i.ResponseWriter.Write(p[:min(len(p), stride)])
		n, p = n+m, p[m:]
	}
	return n, err
}

// serve answers with a blob, or with the part of it that is asked for. It returns
// an error only if nothing was sent yet: bytes that turn out damaged later cut the
// connection, so that nobody takes what came before for the whole.
func serve(w http.ResponseWriter, r *http.Request, blob *store.Reader, idle time.Duration) error {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", `"`+blob.Info().SHA256.String()+`"`)
	out := &lateWriter{ResponseWriter: &idleWriter{w, idle}}
	in := &noted{Reader: blob}
	http.ServeContent(out, r, "", time.Time{}, in)
	switch {
	case in.err == nil:
		out.begin()
		return nil
	case !out.begun:
		clear(h)
		return in.err
	}
	panic(http.ErrAbortHandler)
}

// lateWriter holds the status back until there are bytes to send, so that an
// error before them can still be told.
type lateWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (l *lateWriter) WriteHeader(status int) { l.status = status }

func (l *lateWriter) Write(p []byte) (int, error) {
	l.begin()
	return l.ResponseWriter.Write(p)
}

// ReadFrom has a blob write itself, in large pieces, where [http.ServeContent] copies
// from one.
func (l *lateWriter) ReadFrom(r io.Reader) (int64, error) {
	if part, ok := r.(*io.LimitedReader); ok {
		if blob, ok := part.R.(*noted); ok {
			return blob.WriteN(l, part.N)
		}
	}
	return io.Copy(struct{ io.Writer }{l}, r)
}

func (l *lateWriter) begin() {
	if !l.begun && l.status != 0 {
		l.ResponseWriter.WriteHeader(l.status)
	}
	l.begun = true
}

// noted keeps the error that a reader ended with.
type noted struct {
	*store.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	m, err := n.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return m, err
}

// WriteN is that of the blob, whose error it keeps. One of w's is none.
func (n *noted) WriteN(w io.Writer, count int64) (int64, error) {
	var taken error
	m, err := n.Reader.WriteN(writerFunc(func(p []byte) (int, error) {
		var k int
		k, taken = w.Write(p)
		return k, taken
	}), count)
	if err != nil && taken == nil {
		n.err = err
	}
	return m, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
