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

// ErrNotShared says that casd cannot open a file of this process: its bytes are to be
// sent instead.
var ErrNotShared = errors.New("casd cannot open the file")

// Import has casd store the first size bytes of a file that is open here, and calls told
// with how many it has read.
func (n *Node) Import(ctx context.Context, file *os.File, size int64, told func(int64)) (Received, error) {
	f, ok := identify(file)
	if !ok {
		return Received{}, ErrNotShared
	}
	p, err := n.file(ctx, api.RouteImport, &api.ImportRequest{File: f, Size: size}, told)
	return Received{BlobInfo: p.Blob, New: p.New}, wrap("store file", err)
}

// Export has casd write a blob that is on the node into a file that is open here, from an
// offset on.
func (n *Node) Export(ctx context.Context, d api.Digest, file *os.File, at int64, told func(int64)) error {
	f, ok := identify(file)
	if !ok {
		return ErrNotShared
	}
	_, err := n.file(ctx, api.RouteExport, &api.ExportRequest{File: f, Blob: d, At: at}, told)
	return wrap("write "+d.Short(), err)
}

// file asks casd to do something with a file, and returns its last word.
func (n *Node) file(ctx context.Context, route string, req any, told func(int64)) (last api.FileProgress, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return last, err
	}
	err = n.linesOf(ctx, api.Casd, route, body, func(b []byte) error {
		last = api.FileProgress{}
		if err := api.DecodeFact(b, api.MaxMessage, &last); err != nil {
			return err
		}
		told(last.Done)
		if last.Error != "" {
			return &local.StatusError{Status: last.Status, ErrorReply: api.ErrorReply{Error: last.Error}}
		}
		return nil
	})
	var status *local.StatusError
	switch {
	case errors.As(err, &status) && (status.Status == http.StatusPreconditionFailed || status.Status == http.StatusMethodNotAllowed):
		return last, ErrNotShared
	case err == nil && !last.End:
		err = errors.New("casd broke off")
	}
	return last, err
}
