package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// ErrBytes says that casd cannot use a file of this process, or not any more: its bytes
// are to be sent, or read, instead.
var ErrBytes = errors.New("casd cannot use the file")

// Import has casd store the first size bytes of a regular file that is open here, and
// calls told with how many it has read. It returns [ErrBytes] where [Node.Put] may do
// better; what else casd refuses, for want of space for example, is final.
func (n *Node) Import(ctx context.Context, file *os.File, size int64, told func(done int64)) (Received, error) {
	last, err := n.withFile(ctx, api.RouteImport, &api.ImportRequest{Size: size}, file, told)
	if err == nil && last.Blob.Size != size {
		err = ErrBytes // which is sure to tell what is wrong
	}
	return Received{BlobInfo: last.Blob, New: last.New}, wrap("store file", err)
}

// Export has casd write a blob that is on the node into a regular file that is open here,
// from an offset on, and calls told with how many bytes it has written. Those are in the
// file, and right, also when it returns an error. [ErrBytes]: [Node.Open] may do better.
func (n *Node) Export(ctx context.Context, d api.Digest, file *os.File, at int64, told func(done int64)) error {
	_, err := n.withFile(ctx, api.RouteExport, &api.ExportRequest{Blob: d, At: at}, file, told)
	return wrap("write "+d.Short(), err)
}

// withFile asks casd to do something with a file, and returns its last word.
func (n *Node) withFile(ctx context.Context, route string, req any, file *os.File, told func(done int64)) (last api.FileProgress, err error) {
	fi, err := file.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return last, ErrBytes
	}
	body, err := json.Marshal(req)
	if err != nil {
		return last, err
	}
	method, path := pattern(route)
	resp, err := n.send(local.WithFile(ctx, file), method, local.URL(api.Casd, path), body)
	if err == nil {
		err = scan(ctx, resp, api.Casd, func(b []byte) error {
			last = api.FileProgress{}
			if err := api.DecodeFact(b, api.MaxMessage, &last); err != nil {
				return err
			}
			told(last.Done)
			return nil
		})
	}
	switch {
	case ctx.Err() != nil:
		return last, context.Cause(ctx)
	case err == nil && last.Error != "":
		err = &local.StatusError{Status: last.Status, ErrorReply: api.ErrorReply{Error: last.Error}}
	case err == nil && last.End:
		return last, nil
	}
	if final(err) {
		return last, err
	}
	return last, ErrBytes
}

// final reports whether err is what casd says about a file, and would say about its bytes,
// too. It is away else, or older than this program, or cannot use the file.
func final(err error) bool {
	var status *local.StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusPreconditionFailed, http.StatusServiceUnavailable:
		return false
	}
	return true
}
