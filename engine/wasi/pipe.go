package wasi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// pipe is a bounded queue of bytes between the guest, which never waits in it, and a
// goroutine of the host, which does. Either may be the one that writes.
type pipe struct {
	notify func() // has the guest look again
	most   int    // bytes that wait in it

	mu      sync.Mutex
	changed sync.Cond // of the host
	buf     bytes.Buffer
	out     []byte // what was taken last
	end     error  // no more is written: io.EOF, or why
	gone    error  // nobody reads any more, and why
}

func newPipe(g *Guest) *pipe {
	p := &pipe{notify: g.notify, most: g.env.Limits.PipeBytes}
	p.changed.L = &p.mu
	return p
}

var errGone = errors.New("the other side has gone")

// Read implements [io.Reader], for the host.
func (p *pipe) Read(b []byte) (int, error) {
	defer p.notify()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.buf.Len() == 0 && p.end == nil && p.gone == nil {
		p.changed.Wait()
	}
	if p.gone != nil {
		return 0, p.gone
	}
	if p.buf.Len() == 0 {
		return 0, p.end
	}
	n, _ := p.buf.Read(b) // there is something
	return n, nil
}

// vacant reports whether nothing was written, and nothing will be. It waits a while to
// know that.
func (p *pipe) vacant(wait time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	late := false
	t := time.AfterFunc(wait, func() {
		p.mu.Lock()
		late = true
		p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer t.Stop()
	for p.buf.Len() == 0 && p.end == nil && p.gone == nil && !late {
		p.changed.Wait()
	}
	return p.buf.Len() == 0 && errors.Is(p.end, io.EOF)
}

// Write implements [io.Writer], for the host.
func (p *pipe) Write(b []byte) (done int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for done < len(b) {
		for p.buf.Len() >= p.most && p.gone == nil {
			p.changed.Wait()
		}
		if p.gone != nil {
			return done, p.gone
		}
		n, _ := p.buf.Write(b[done:min(len(b), done+p.most-p.buf.Len())]) // it never fails
		done += n
		p.notify()
	}
	return done, nil
}

// finish says that nothing more is written, for what reason; io.EOF if it is all.
func (p *pipe) finish(why error) {
	p.mu.Lock()
	if p.end == nil {
		p.end = why
	}
	p.mu.Unlock()
	p.changed.Broadcast()
	p.notify()
}

// leave says that nothing more is read, and why. What waits is thrown away.
func (p *pipe) leave(why error) {
	p.mu.Lock()
	if p.gone == nil {
		p.gone = why
	}
	p.buf = bytes.Buffer{}
	p.mu.Unlock()
	p.changed.Broadcast()
	p.notify()
}

// take takes up to n bytes that are there, for the guest; none if there are none yet. They
// are good until the next ones are taken.
func (p *pipe) take(n int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.buf.Len() == 0 {
		return nil, p.end
	}
	p.out = append(p.out[:0], p.buf.Next(n)...)
	p.changed.Broadcast()
	return p.out, nil
}

// readable reports whether take has an answer.
func (p *pipe) readable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Len() > 0 || p.end != nil
}

// whole reports whether all was written that there is.
func (p *pipe) whole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Is(p.end, io.EOF)
}

// room is how much there is room for, for the guest.
func (p *pipe) room() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		return 0, p.gone
	}
	return p.most - p.buf.Len(), nil
}

// put adds what there is room for, for the guest.
func (p *pipe) put(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		return p.gone
	}
	p.buf.Write(b)
	p.changed.Broadcast()
	return nil
}

// pump moves what there is to read into the pipe, until either has its end. A panic of the
// reader's would end the process.
func (p *pipe) pump(from io.Reader) {
	defer func() {
		if v := recover(); v != nil {
			p.finish(fmt.Errorf("read: panic: %v", v))
		}
	}()
	piece := pieces.Get().(*[pumpBytes]byte) //nolint:forcetypeassert // nothing else is in it
	defer pieces.Put(piece)
	b := piece[:min(pumpBytes, p.most)]
	for {
		n, err := from.Read(b)
		if _, e := p.Write(b[:n]); e != nil {
			err = e
		}
		if err != nil {
			p.finish(err)
			return
		}
	}
}

const pumpBytes = 32 << 10

// pieces are what bytes are moved in. Those of requests that have ended are used again.
var pieces = sync.Pool{New: func() any { return new([pumpBytes]byte) }}
