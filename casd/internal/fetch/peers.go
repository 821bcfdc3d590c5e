package fetch

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

// peers reads from other members' casd through this node's meshd.
type peers struct {
	client *http.Client
	stall  time.Duration
	answer time.Duration
}

var errStalled = errors.New("it sends nothing any more")

// index reads the index of a blob. Errors: errLie, errLacks, else p is away.
func (c peers) index(ctx context.Context, p api.PeerID, blob api.Digest) (api.BlobIndex, error) {
	b, err := c.get(ctx, p, api.PathBlobIndex(blob), api.MaxBlobIndex)
	if err != nil {
		return api.BlobIndex{}, fmt.Errorf("read index: %w", err)
	}
	var idx api.BlobIndex
	if err := api.Decode(b, api.MaxBlobIndex, &idx); err != nil {
		return api.BlobIndex{}, fmt.Errorf("read index: %w: %w", errLie, err)
	}
	if idx.SHA256 != blob {
		return api.BlobIndex{}, fmt.Errorf("read index: %w: it is about blob %s", errLie, idx.SHA256.Short())
	}
	return idx, nil
}

// chunk reads a chunk and checks it. Errors as index.
func (c peers) chunk(ctx context.Context, p api.PeerID, want api.BlobInfo) ([]byte, error) {
	b, err := c.get(ctx, p, api.PathChunk(want.SHA256), int(want.Size))
	if err != nil {
		return nil, fmt.Errorf("read chunk %s: %w", want.SHA256.Short(), err)
	}
	if int64(len(b)) != want.Size || api.Sum(b) != want.SHA256 {
		return nil, fmt.Errorf("read chunk %s: %w: %d other bytes", want.SHA256.Short(), errLie, len(b))
	}
	return b, nil
}

// get reads at most limit bytes from path at p's casd; more is a lie. It fails
// when nothing comes for too long.
func (c peers) get(ctx context.Context, p api.PeerID, path string, limit int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.answer)
	defer cancel()
	ctx, stalled := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.stall, func() { stalled(errStalled) })
	defer timer.Stop()

	b, err := c.read(ctx, p, path, limit, func() { timer.Reset(c.stall) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause
	}
	return b, err
}

func (c peers) read(ctx context.Context, p api.PeerID, path string, limit int, alive func()) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Meshd, api.PathPeer(p, api.ServiceBlob, path)), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		var status *local.StatusError
		if errors.As(err, &status) && status.Status == http.StatusNotFound {
			return nil, errLacks
		}
		return nil, err
	}
	b, err := api.ReadAll(&watched{resp.Body, alive}, int64(limit))
	if errors.Is(err, api.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", errLie, err)
	}
	return b, err
}

// watched tells of each read that brought something.
type watched struct {
	r     io.Reader
	alive func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.alive()
	}
	return n, err
}
