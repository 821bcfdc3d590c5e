package engine

import (
	"context"
	"errors"
	"io"

	"github.com/realm-mesh/realm/engine/meter"
)

// work is what the host does in a call of a guest's, under its budget.
type work struct {
	ctx    context.Context //nolint:containedctx // of the guest's current call
	budget *meter.Budget
}

// on reports whether the guest may go on, and charges it for n bytes.
func (w *work) on(n int) bool {
	if w.budget.Check(w.ctx) != nil {
		return false
	}
	w.budget.Charge(uint64(n) / meter.BytesPerFuel)
	return true
}

// errEnded is what streams return to a guest that is to end. It does as soon as it runs on.
var errEnded = errors.New("the program is to end")

// reader and writer are streams that move no more at a time than the guest has time for.
type reader struct {
	io.Reader
	work *work
}

func (r *reader) Read(p []byte) (int, error) {
	if !r.work.on(0) {
		return 0, errEnded
	}
	n, err := r.Reader.Read(p[:min(len(p), pieceBytes)])
	r.work.budget.Charge(uint64(n) / meter.BytesPerFuel)
	return n, err
}

type writer struct {
	io.Writer
	work *work
}

func (w *writer) Write(p []byte) (done int, err error) {
	for {
		piece := p[done:min(len(p), done+pieceBytes)]
		if !w.work.on(len(piece)) {
			return done, errEnded
		}
		n, err := w.Writer.Write(piece)
		switch done += n; {
		case err != nil || done >= len(p):
			return done, err
		case n < len(piece):
			return done, io.ErrShortWrite
		}
	}
}
