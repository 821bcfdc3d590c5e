package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// ErrOnce is what the open of [Node.Put] returns for bytes that cannot be had again.
var ErrOnce = errors.New("the bytes cannot be read again")

// Received is a blob that a node has taken.
type Received struct {
	api.BlobInfo
	New int64 // bytes of it that the node did not have; -1: casd does not tell
}

// Put stores what open gives on the node, and returns what it is. size is in bytes; -1:
// nobody knows. open is called for each try and gives the bytes from the start, or
// [ErrOnce]. What casd refuses, for want of space for example, is final.
func (n *Node) Put(ctx context.Context, size int64, open func() (io.Reader, error)) (Received, error) {
	var failed error // of the last try
	for {
		body, err := open()
		if errors.Is(err, ErrOnce) {
			err = errors.Join(failed, err)
		}
		if err != nil {
			return Received{}, wrap("store bytes", err)
		}
		info, err := n.putOnce(ctx, "", size, body)
		var status *local.StatusError
		if err == nil || errors.As(err, &status) && status.Status != http.StatusServiceUnavailable {
			return info, wrap("store bytes", err)
		}
		failed = fmt.Errorf("casd of this node does not answer: %w: see realm ps, and realm logs casd", err)
		select {
		case <-ctx.Done():
			return Received{}, wrap("store bytes", failed)
		case <-time.After(retryEvery):
		}
	}
}

// putOnce stores what body gives. query begins with a question mark, or is empty.
func (n *Node) putOnce(ctx context.Context, query string, size int64, body io.Reader) (info Received, err error) {
	method, path := pattern(api.RouteBlobPut)
	// A reader that the transport does not know, so that it neither closes it nor
	// guesses its length.
	req, err := http.NewRequestWithContext(ctx, method, local.URL(api.Casd, path+query), struct{ io.Reader }{body})
	if err != nil {
		return info, err
	}
	// With a length casd sees at once what it is asked to take.
	if req.ContentLength = size; size == 0 {
		req.Body = http.NoBody // else a length of 0 means an unknown one
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := n.http.Do(req)
	if err != nil {
		return info, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return info, err
	}
	b, err := api.ReadAll(resp.Body, api.MaxMessage)
	if err != nil {
		return info, err
	}
	if err := api.Decode(b, api.MaxMessage, &info.BlobInfo); err != nil {
		return info, err
	}
	if info.New, err = strconv.ParseInt(resp.Header.Get(api.HeaderNew), 10, 64); err != nil || info.New < 0 || info.New > info.Size {
		info.New = -1
	}
	if size >= 0 && info.Size != size {
		return info, fmt.Errorf("casd stored %d bytes, want %d", info.Size, size)
	}
	return info, nil
}

// Here looks a blob up on the node; ok tells whether all of it is there.
func (n *Node) Here(ctx context.Context, d api.Digest) (info api.BlobInfo, ok bool, err error) {
	var size int64
	err = n.atCasd(ctx, func() error {
		resp, err := n.send(ctx, http.MethodHead, local.URL(api.Casd, api.PathBlob(d)), nil)
		if err != nil {
			return err
		}
		size = resp.ContentLength
		return resp.Body.Close()
	})
	switch {
	case notFound(err):
		return info, false, nil
	case err == nil && size < 0:
		err = errors.New("casd answers without a length")
	}
	return api.BlobInfo{SHA256: d, Size: size}, err == nil, wrap("look for "+d.Short(), err)
}

// Open reads a blob that is on the node from an offset on, which is less than its size.
// casd checks what it reads: bytes that are not as they should be are an error before
// they are given. The caller closes it.
func (n *Node) Open(ctx context.Context, d api.Digest, from int64) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Casd, api.PathBlob(d)), http.NoBody)
	if err != nil {
		return nil, err
	}
	want := http.StatusOK
	if from > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		want = http.StatusPartialContent
	}
	resp, err := n.http.Do(req)
	if err == nil {
		err = local.CheckStatus(resp)
		if err == nil && resp.StatusCode != want {
			err = fmt.Errorf("casd answers %s, want %d", resp.Status, want)
		}
		if err != nil {
			resp.Body.Close()
		}
	}
	if err != nil {
		return nil, wrap("read "+d.Short(), err)
	}
	return resp.Body, nil
}
