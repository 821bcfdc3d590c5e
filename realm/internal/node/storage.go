package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Storage asks what the store of this node holds.
func (n *Node) Storage(ctx context.Context) (s api.StorageStatus, err error) {
	err = n.casd(ctx, api.RouteStorage, "", nil, &s)
	return s, wrap("look at the store", err)
}

// Collect has the store make room.
func (n *Node) Collect(ctx context.Context, r api.CollectRequest) (out api.CollectReply, err error) {
	err = n.casd(ctx, api.RouteCollect, "", &r, &out)
	return out, wrap("make room in the store", err)
}

// Copies asks who has a blob, as those who should keep it say now.
func (n *Node) Copies(ctx context.Context, d api.Digest) (c api.BlobCopies, err error) {
	err = n.casd(ctx, api.RouteBlobCopies, api.PathBlobCopies(d), nil, &c)
	return c, wrap("ask who has "+d.Short(), err)
}

// Transfers are the blobs that are on their way to this node.
func (n *Node) Transfers(ctx context.Context) ([]api.Transfer, error) {
	var r api.TransfersReply
	err := n.casd(ctx, api.RouteTransfers, "", nil, &r)
	return r.Transfers, wrap("ask what is on its way", err)
}

// Hold keeps a blob that is on this node there, whatever the realm needs.
func (n *Node) Hold(ctx context.Context, d api.Digest) error {
	return wrap("pin "+d.Short()+" on this node", n.casd(ctx, api.RoutePin, api.PathPin(d), nil, &api.Empty{}))
}

// Release takes [Node.Hold] back; was tells whether there was anything to take back.
func (n *Node) Release(ctx context.Context, d api.Digest) (was bool, err error) {
	err = n.casd(ctx, api.RouteUnpin, api.PathPin(d), nil, &api.Empty{})
	if notFound(err) {
		return false, nil
	}
	return err == nil, wrap("unpin "+d.Short()+" on this node", err)
}

// maxStorageReply caps what casd answers at once, in bytes: [api.MaxCollected] blobs.
const maxStorageReply = 1 << 20

// casd asks casd for what a route answers; path fills the route in where it has
// parameters. A casd that is away is asked again until ctx ends. It may be of a newer
// version, and say more.
func (n *Node) casd(ctx context.Context, route, path string, in any, out api.Validator) error {
	method, plain := pattern(route)
	if path == "" {
		path = plain
	}
	var body, answer []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	err := n.atCasd(ctx, func() error {
		resp, err := n.send(ctx, method, local.URL(api.Casd, path), body)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		answer, err = io.ReadAll(io.LimitReader(resp.Body, maxStorageReply+1))
		return err
	})
	if err != nil {
		return err
	}
	return api.DecodeFact(answer, maxStorageReply, out)
}

// send sends a request, with a body unless that is empty. An answer other than 2xx is a
// [*local.StatusError]. The caller closes the body of the answer.
func (n *Node) send(ctx context.Context, method, url string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := n.http.Do(req)
	if err != nil {
		return nil, err
	}
	if err := local.CheckStatus(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// notFound reports whether err is the answer that there is no such thing.
func notFound(err error) bool {
	var status *local.StatusError
	return errors.As(err, &status) && status.Status == http.StatusNotFound
}
