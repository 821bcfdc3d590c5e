package casd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// errFile says that the file of a caller cannot be read, or written to, from here. Its
// bytes can pass the socket instead, and the caller then meets what is wrong by itself.
var errFile = errors.New("casd cannot use the file")

// files stores files of this machine, and writes blobs into them, whose bytes need not
// pass the socket. casd opens none of them: the caller sends a descriptor of one that it
// has open, and casd does with it what the caller could. Whoever sends none, as all who
// come by way of meshd, is refused.
type files struct{ *endpoints }

func (f files) register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteImport, f.takeIn)
	mux.HandleFunc(api.RouteExport, f.giveOut)
}

// takeIn stores a file.
func (f files) takeIn(w http.ResponseWriter, r *http.Request) {
	var req api.ImportRequest
	file, err := f.request(w, r, &req, forReading)
	if err != nil {
		f.metrics.puts.WithLabelValues(result(err)).Inc()
		f.fail(w, r, err)
		return
	}
	defer file.Close()
	f.tell(r.Context(), w, r, func(ctx context.Context, done *atomic.Int64) (p api.FileProgress, err error) {
		p.Blob, p.New, err = f.store.PutNew(ctx, &fileReader{file: file, left: req.Size, done: done}, req.Size, api.Digest{})
		f.metrics.puts.WithLabelValues(result(err)).Inc()
		if err == nil {
			f.announce(p.Blob.SHA256)
		}
		return p, err
	})
}

// giveOut writes a blob into a file. Whatever happens, what it writes is that blob's, in
// order, and checked.
func (f files) giveOut(w http.ResponseWriter, r *http.Request) {
	var req api.ExportRequest
	file, err := f.request(w, r, &req, forWriting)
	if err != nil {
		f.metrics.gets.WithLabelValues(result(err)).Inc()
		f.fail(w, r, err)
		return
	}
	defer file.Close()
	f.tell(r.Context(), w, r, func(ctx context.Context, done *atomic.Int64) (p api.FileProgress, err error) {
		p.Blob, err = f.write(&fileWriter{ctx: ctx, file: file, at: req.At, done: done}, req.Blob)
		f.metrics.gets.WithLabelValues(result(err)).Inc()
		return p, err
	})
}

func (f files) write(to *fileWriter, d api.Digest) (api.BlobInfo, error) {
	blob, err := f.store.Open(d)
	if err != nil {
		return api.BlobInfo{}, advise(err, d)
	}
	defer blob.Close()
	_, err = blob.WriteTo(to)
	return blob.Info(), advise(err, d)
}

// request reads a request, and takes the file that came with it if it can be used so. The
// caller closes it.
func (f files) request(w http.ResponseWriter, r *http.Request, req api.Validator, use use) (*os.File, error) {
	body, err := api.ReadAll(newIdleReader(w, r, f.idle), api.MaxMessage)
	if err != nil {
		return nil, err
	}
	if err := api.Decode(body, api.MaxMessage, req); err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	file := local.File(r)
	if file == nil {
		return nil, fmt.Errorf("%w: none came with the request: send the bytes, or read them: %s, %s", errFile, api.RouteBlobPut, api.RouteBlobGet)
	}
	if err := usable(file, use); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// fileReader reads the first bytes of a file, wherever its position is, which it shares
// with its caller, and counts them.
type fileReader struct {
	file     *os.File
	at, left int64
	done     *atomic.Int64
}

// Read implements [io.Reader].
func (f *fileReader) Read(p []byte) (int, error) {
	if p = p[:min(int64(len(p)), f.left)]; len(p) == 0 {
		return 0, io.EOF
	}
	n, err := f.file.ReadAt(p, f.at)
	f.at, f.left = f.at+int64(n), f.left-int64(n)
	f.done.Add(int64(n))
	switch {
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("%w: it got shorter while it was read: try again when nobody writes to it", errFile)
	case err != nil:
		err = fmt.Errorf("%w: %w", errFile, err)
	}
	return n, err
}

// fileWriter writes to a file at an offset until its context ends, and counts it.
type fileWriter struct {
	ctx  context.Context //nolint:containedctx // of the request that it is a part of
	file *os.File
	at   int64
	done *atomic.Int64
}

// Write implements [io.Writer].
func (f *fileWriter) Write(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.file.WriteAt(p, f.at)
	f.at += int64(n)
	f.done.Add(int64(n))
	if err != nil {
		err = fmt.Errorf("%w: %w", errFile, err)
	}
	return n, err
}
