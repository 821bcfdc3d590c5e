package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Stored is a blob on the node.
type Stored struct {
	api.BlobInfo
	Head []byte // its first bytes, at most headBytes
}

// headBytes is enough to tell what a blob is.
const headBytes = 16

// Stored looks a blob up on the node; ok tells whether it is there.
func (n *Node) Stored(ctx context.Context, d api.Digest) (s Stored, ok bool, err error) {
	err = n.atCasd(ctx, func() error {
		s, err = n.head(ctx, d)
		return err
	})
	var status *local.StatusError
	if errors.As(err, &status) && status.Status == http.StatusNotFound {
		return Stored{}, false, nil
	}
	return s, err == nil, wrap("look for "+d.Short(), err)
}

func (n *Node) head(ctx context.Context, d api.Digest) (Stored, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Casd, api.PathBlob(d)), http.NoBody)
	if err != nil {
		return Stored{}, err
	}
	req.Header.Set("Range", "bytes=0-"+strconv.Itoa(headBytes-1))
	resp, err := n.http.Do(req)
	if err != nil {
		return Stored{}, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return Stored{}, err
	}
	size, err := sizeOf(resp)
	if err != nil {
		return Stored{}, err
	}
	b, err := api.ReadAll(resp.Body, headBytes)
	return Stored{api.BlobInfo{SHA256: d, Size: size}, b}, err
}

// sizeOf is the size of what an answer is the beginning of, in bytes.
func sizeOf(resp *http.Response) (int64, error) {
	if resp.StatusCode != http.StatusPartialContent {
		return resp.ContentLength, nil
	}
	_, total, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("casd answers with Content-Range %.80q", resp.Header.Get("Content-Range"))
	}
	return size, nil
}

// Bring has the node fetch a blob from other members, unless it has it. size is
// checked, unless it is 0.
func (n *Node) Bring(ctx context.Context, d api.Digest, size int64) (api.BlobInfo, error) {
	method, _ := pattern(api.RouteBlobFetch)
	path := api.PathBlobFetch(d)
	if size > 0 {
		path += "?size=" + strconv.FormatInt(size, 10)
	}
	var info api.BlobInfo
	err := n.atCasd(ctx, func() error {
		return local.Call(ctx, n.http, method, local.URL(api.Casd, path), nil, &info, api.MaxMessage)
	})
	return info, wrap("fetch "+d.Short()+" from the mesh", err)
}

// atCasd calls fn until casd has answered, or ctx ends.
func (n *Node) atCasd(ctx context.Context, fn func() error) error {
	return n.atDaemon(ctx, api.Casd, fn)
}

// atDaemon calls fn until a daemon has answered, or ctx ends.
func (n *Node) atDaemon(ctx context.Context, d api.Daemon, fn func() error) error {
	for {
		err := fn()
		var status *local.StatusError
		if err == nil || errors.As(err, &status) && status.Status != http.StatusServiceUnavailable {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
		if ctx.Err() == nil {
			continue
		}
		if cause := context.Cause(ctx); !notSent(err) && (errors.Is(err, cause) || errors.Is(err, ctx.Err())) {
			return fmt.Errorf("%s of this node was not done: %w", d, cause)
		}
		return fmt.Errorf("%s of this node does not answer: %w: see realm ps, and realm logs %s", d, err, d)
	}
}
