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

func (i *idleWriter) Write(p []byte) (int, error) {
	if err := http.NewResponseController(i.ResponseWriter).SetWriteDeadline(time.Now().Add(i.idle)); err != nil {
		return 0, err
	}
	return i.ResponseWriter.Write(p)
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
