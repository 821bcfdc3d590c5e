package runnerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// fetchTimeout bounds how long a program may take to come from a peer.
const fetchTimeout = 5 * time.Minute

// readTimeout bounds how long casd here may take to give what it has.
const readTimeout = time.Minute

// maxInfo caps casd's answer to a fetch, in bytes.
const maxInfo = 4 << 10

// blobs gets the bytes of programs from casd.
type blobs struct{ client *http.Client }

// Bring implements [program.Fetcher].
func (b *blobs) Bring(ctx context.Context, blob api.Digest, limit int64) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	url := local.URL(api.Casd, api.PathBlobFetch(blob)) + "?size=" + strconv.FormatInt(limit, 10)
	var info api.BlobInfo
	if err := local.Call(ctx, b.client, http.MethodPost, url, nil, &info, maxInfo); err != nil {
		return err
	}
	if info.Size > limit {
		return fmt.Errorf("%w: %d bytes", api.ErrTooLarge, info.Size)
	}
	return nil
}

// Open implements [execute.Blobs].
func (b *blobs) Open(ctx context.Context, blob api.BlobInfo) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Casd, api.PathBlob(blob.SHA256)), nil)
	if err != nil {
		return nil, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := local.CheckStatus(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

// Put implements [execute.Blobs].
func (b *blobs) Put(ctx context.Context, from io.Reader) (info api.BlobInfo, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, local.URL(api.Casd, api.PathBlobs), from)
	if err != nil {
		return info, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return info, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return info, err
	}
	raw, err := api.ReadAll(resp.Body, maxInfo)
	if err != nil {
		return info, err
	}
	return info, api.Decode(raw, maxInfo, &info)
}

// jobBlobs is the store as executions of jobs use it.
type jobBlobs struct{ *blobs }

// Bring implements [execute.Blobs].
func (j jobBlobs) Bring(ctx context.Context, b api.BlobInfo) error {
	return j.blobs.Bring(ctx, b.SHA256, b.Size)
}

// Open implements [jobs.Blobs]: what is not here comes from members.
func (j jobBlobs) Open(ctx context.Context, b api.BlobInfo) (io.ReadCloser, error) {
	if err := j.Bring(ctx, b); err != nil {
		return nil, err
	}
	return j.blobs.Open(ctx, b)
}

// Read implements [program.Fetcher].
func (b *blobs) Read(ctx context.Context, blob api.Digest, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Casd, api.PathBlob(blob)), nil)
	if err != nil {
		return nil, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return nil, err
	}
	wasm, err := api.ReadAll(resp.Body, limit)
	if err != nil {
		return nil, err
	}
	if got := api.Sum(wasm); got != blob {
		return nil, fmt.Errorf("casd gave other bytes (%s) than were asked for", got.Short())
	}
	return wasm, nil
}

// tidyLoader gives back to the operating system what loading a program has left
// behind (its bytes, several times over), once no more is loaded for a while.
type tidyLoader struct {
	*program.Loader
	rest *time.Timer
}

// tidyAfter is how long after the last program was loaded.
const tidyAfter = 3 * time.Second

func newTidyLoader(l *program.Loader) *tidyLoader {
	t := &tidyLoader{Loader: l, rest: time.AfterFunc(tidyAfter, debug.FreeOSMemory)}
	t.rest.Stop()
	return t
}

// Load implements [workload.Loader].
func (t *tidyLoader) Load(ctx context.Context, p api.Program, stage func(api.State)) (*engine.Module, error) {
	defer t.rest.Reset(tidyAfter)
	return t.Loader.Load(ctx, p, stage)
}

// publisher tells new log lines to whoever listens now. What cannot be sent is
// heard by nobody, and is in the file.
func publisher(conn *bus.Conn) logs.Live {
	return func(ref api.Ref, line api.LogLine) {
		if b, err := json.Marshal(line); err == nil {
			_ = conn.Publish(api.SubjectLog(ref), b)
		}
	}
}
