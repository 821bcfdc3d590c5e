package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Upload stores a blob on the node. open gives its bytes from the start, once
// for each try. A casd that is away is tried again until ctx ends; what it
// refuses, for want of space for example, is final.
func (n *Node) Upload(ctx context.Context, blob api.BlobInfo, open func() io.Reader) error {
	for {
		err := n.put(ctx, blob, open())
		var status *local.StatusError
		if err == nil || errors.As(err, &status) && status.Status != http.StatusServiceUnavailable {
			return wrap("store the program", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("store the program: casd of this node does not answer: %w: see realm ps, and realm logs casd", err)
		case <-time.After(retryEvery):
		}
	}
}

func (n *Node) put(ctx context.Context, blob api.BlobInfo, body io.Reader) error {
	got, err := n.putOnce(ctx, "?sha256="+blob.SHA256.String(), blob.Size, body)
	if err == nil && got.BlobInfo != blob {
		err = fmt.Errorf("casd stored %d bytes as %s, want %d as %s", got.Size, got.SHA256.Short(), blob.Size, blob.SHA256.Short())
	}
	return err
}

// Exec calls a function on whichever member runs it. A gatewayd that is away is
// tried again only while it has surely not begun: a call may have effects.
func (n *Node) Exec(ctx context.Context, call api.ExecRequest) (api.CallReply, error) {
	method, path := pattern(api.RouteExec)
	var reply api.CallReply
	for {
		err := local.Call(ctx, n.http, method, local.URL(api.Gatewayd, path), &call, &reply, maxResult)
		if err == nil || !notSent(err) {
			return reply, wrap("call "+string(call.Name), err)
		}
		select {
		case <-ctx.Done():
			return reply, fmt.Errorf("call %s: gatewayd of this node does not answer: %w: see realm ps, and realm logs gatewayd", call.Name, err)
		case <-time.After(retryEvery):
		}
	}
}

// maxResult caps the encoded result of a call, in bytes.
const maxResult = 1 << 20
