// Package httpshape compares hosts of wasi:http components by what a client
// sees of them.
//
// A Shape is one request, as bytes on a connection, to a component of which it
// is known what it does: a method, a body that comes slowly, a client that
// hangs up. An Outcome is what the client observed, less what may differ
// between two runs of one host. Two hosts agree if their outcomes of all
// shapes are equal. The outcomes of an independent host are kept, so that
// another can be held to them where that host is not.
//
// Where the independent host is wrong, or the specification leaves a choice, a
// Deviation says why, and what is right instead: the subject is held to that.
package httpshape

import "time"

// Shape is one request and what its client does with the answer.
type Shape struct {
	Name      string
	Component string // the name of its file, without ".wasm"

	Method  string // GET if empty
	Target  string // what follows the method; {upstream} is the address of a server of the harness
	Headers []string
	HTTP10  bool
	Body    *Body

	HangUp int64         // the client hangs up when it has read so many bytes of the body
	Within time.Duration // how long a client waits; a few seconds if zero

	SortLines bool // the lines of the answer have no order
	Length    bool // content-length is part of what is compared
}

// Body is what a request sends after its head.
type Body struct {
	Size     int64
	Piece    int64 // bytes in one write, and in one chunk; 64 KiB if zero
	Pause    time.Duration
	Chunked  bool
	Trailers []string

	Await100 bool  // sends nothing until the server has said to go on
	CutAfter int64 // hangs up after so many bytes, if not zero
}

const (
	patience  = 8 * time.Second
	pieceSize = 64 << 10
)

func (s *Shape) within() time.Duration {
	if s.Within == 0 {
		return patience
	}
	return s.Within
}

func (b *Body) piece() int64 {
	if b.Piece == 0 {
		return pieceSize
	}
	return b.Piece
}
