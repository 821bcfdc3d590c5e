package node

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Blobs calls fn with each blob on this node, in the order of their digests.
func (n *Node) Blobs(ctx context.Context, fn func(api.BlobRecord) error) error {
	err := n.lines(ctx, api.Casd, api.RouteBlobs, func(b []byte) error {
		var r api.BlobRecord
		if err := api.DecodeFact(b, api.MaxMessage, &r); err != nil {
			return err
		}
		return fn(r)
	})
	return wrap("list the store", err)
}

// References calls fn with each reason why the realm needs a blob, as meshd lists them.
func (n *Node) References(ctx context.Context, fn func(api.Reference) error) error {
	err := n.lines(ctx, api.Meshd, api.RouteReferences, func(b []byte) error {
		var r api.Reference
		if err := api.DecodeFact(b, api.MaxMessage, &r); err != nil {
			return err
		}
		return fn(r)
	})
	return wrap("list what the realm needs", err)
}

// Verify has the store read and check all that it holds, and calls fn with how far that
// is. An end without a last line is an error.
func (n *Node) Verify(ctx context.Context, fn func(api.VerifyProgress) error) error {
	ended := false
	err := n.lines(ctx, api.Casd, api.RouteVerify, func(b []byte) error {
		var p api.VerifyProgress
		if err := api.DecodeFact(b, maxVerifyLine, &p); err != nil {
			return err
		}
		ended = p.End
		return fn(p)
	})
	if err == nil && !ended {
		err = errors.New("casd of this node broke off: see realm logs casd, and begin again")
	}
	return wrap("verify the store", err)
}

// maxVerifyLine caps a line of [api.RouteVerify], in bytes: many blobs may share a
// chunk that is damaged.
const maxVerifyLine = 8 << 20

// lines calls fn with each line that a daemon answers, without its end. A daemon that is
// away is asked again until ctx ends; one that breaks off is not.
func (n *Node) lines(ctx context.Context, d api.Daemon, route string, fn func([]byte) error) error {
	method, path := pattern(route)
	var resp *http.Response
	err := n.atDaemon(ctx, d, func() (err error) {
		resp, err = n.send(ctx, method, local.URL(d, path), nil) //nolint:bodyclose // scan does
		return err
	})
	if err != nil {
		return err
	}
	return scan(ctx, resp, d, fn)
}

// scan calls fn with each line of an answer of d, and closes it. Where ctx has ended the
// error is why.
func scan(ctx context.Context, resp *http.Response, d api.Daemon, fn func([]byte) error) error {
	defer resp.Body.Close()
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, maxVerifyLine)
	for s.Scan() {
		if line := bytes.TrimSpace(s.Bytes()); len(line) > 0 {
			if err := fn(line); err != nil {
				return err
			}
		}
	}
	if err := s.Err(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s of this node broke off: %w", d, err)
	}
	return nil
}
