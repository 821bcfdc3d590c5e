package casd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// errFile says that a file of the caller's is not to be had here: its bytes can pass the
// socket instead.
var errFile = errors.New("casd cannot open the file")

// tellEvery is how often it is told how far a file is.
const tellEvery = 200 * time.Millisecond

// files reads and writes files of this machine for whoever has this node's token, and so
// could read and write them itself.
type files struct{ *endpoints }

func (f files) register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteImport, f.takeIn)
	mux.HandleFunc(api.RouteExport, f.takeOut)
}

func (f files) takeIn(w http.ResponseWriter, r *http.Request) {
	var req api.ImportRequest
	err := f.request(w, r, &req)
	var file *os.File
	if err == nil {
		file, err = open(req.File, os.O_RDONLY)
	}
	if err != nil {
		f.metrics.puts.WithLabelValues(result(err)).Inc()
		f.fail(w, r, err)
		return
	}
	defer file.Close()
	f.tell(w, r, func(ctx context.Context, done *atomic.Int64) (p api.FileProgress, err error) {
		in := &counted{Reader: io.LimitReader(file, req.Size), done: done}
		p.Blob, p.New, err = f.store.PutNew(ctx, in, req.Size, api.Digest{})
		f.metrics.puts.WithLabelValues(result(err)).Inc()
		if err == nil {
			f.announce(p.Blob.SHA256)
		}
		return p, err
	})
}

func (f files) takeOut(w http.ResponseWriter, r *http.Request) {
	var req api.ExportRequest
	err := f.request(w, r, &req)
	var file *os.File
	if err == nil {
		file, err = open(req.File, os.O_WRONLY)
	}
	if err != nil {
		f.metrics.gets.WithLabelValues(result(err)).Inc()
		f.fail(w, r, err)
		return
	}
	defer file.Close()
	f.tell(w, r, func(ctx context.Context, done *atomic.Int64) (p api.FileProgress, err error) {
		defer func() { f.metrics.gets.WithLabelValues(result(err)).Inc() }()
		blob, err := f.store.Open(req.Blob)
		if err != nil {
			return p, advise(err, req.Blob)
		}
		defer blob.Close()
		if _, err := file.Seek(req.At, io.SeekStart); err != nil {
			return p, err
		}
		p.Blob = blob.Info()
		_, err = blob.WriteTo(&stopped{ctx: ctx, w: file, done: done})
		return p, advise(err, req.Blob)
	})
}

// request reads a request.
func (f files) request(w http.ResponseWriter, r *http.Request, req api.Validator) error {
	body, err := api.ReadAll(newIdleReader(w, r, f.idle), api.MaxMessage)
	if err != nil {
		return err
	}
	if err := api.Decode(body, api.MaxMessage, req); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	return nil
}

// tell does something, and tells how far it is until it ends. Where it ends soon, an
// error has its own status.
func (f files) tell(w http.ResponseWriter, r *http.Request, do func(context.Context, *atomic.Int64) (api.FileProgress, error)) {
	type end struct {
		p   api.FileProgress
		err error
	}
	done, ended := new(atomic.Int64), make(chan end, 1)
	go func() {
		var e end
		err := task.Guard(r.Context(), func(ctx context.Context) (err error) {
			e.p, err = do(ctx, done)
			return err
		})
		e.err = err
		ended <- e
	}()
	ctl := http.NewResponseController(w)
	lines := json.NewEncoder(&idleWriter{w, f.idle})
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for begun := false; ; {
		select {
		case <-tick.C:
			if !begun {
				begun = true
				w.Header().Set("Content-Type", "application/x-ndjson")
			}
			// Who does not listen any more has ended the context of r, too.
			_ = errors.Join(lines.Encode(api.FileProgress{Done: done.Load()}), ctl.Flush())
		case e := <-ended:
			if e.err != nil && !begun {
				f.fail(w, r, e.err)
				return
			}
			if e.p.Done, e.p.End = done.Load(), true; e.err != nil {
				e.p.Status, e.p.Error = status(e.err), e.err.Error()
			}
			w.Header().Set("Content-Type", "application/x-ndjson")
			_ = lines.Encode(e.p) // as above
			return
		}
	}
}

// counted counts what is read.
type counted struct {
	io.Reader
	done *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.done.Add(int64(n))
	return n, err
}

// stopped writes until its context ends, and counts it.
type stopped struct {
	ctx  context.Context //nolint:containedctx // that of the request which it is part of
	w    io.Writer
	done *atomic.Int64
}

func (s *stopped) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	s.done.Add(int64(n))
	return n, err
}
