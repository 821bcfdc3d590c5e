package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// maxReply caps the answers of casd that are JSON, in bytes.
const maxReply = 64 << 10

// putFile sends a file to the store's socket.
func (m *member) putFile(ctx context.Context, file string) (api.BlobInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return api.BlobInfo{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return api.BlobInfo{}, err
	}
	return m.put(ctx, f, st.Size())
}

func (m *member) put(ctx context.Context, body io.Reader, size int64) (api.BlobInfo, error) {
	var info api.BlobInfo
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, local.URL(api.Casd, "/blobs"), body)
	if err != nil {
		return info, err
	}
	req.ContentLength = size
	resp, err := m.casd.Do(req)
	if err != nil {
		return info, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return info, fmt.Errorf("put on %s: %w", m.Name, err)
	}
	b, err := api.ReadAll(resp.Body, maxReply)
	if err != nil {
		return info, err
	}
	return info, api.Decode(b, maxReply, &info)
}

// drain reads a blob from the store's socket and drops it.
func (m *member) drain(ctx context.Context, blob api.BlobInfo) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Casd, api.PathBlob(blob.SHA256)), nil)
	if err != nil {
		return err
	}
	resp, err := m.casd.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return fmt.Errorf("get on %s: %w", m.Name, err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n != blob.Size {
		err = fmt.Errorf("get on %s: %d bytes of %d", m.Name, n, blob.Size)
	}
	return err
}

// fetch brings a blob whole to this node, from the others.
func (m *member) fetch(ctx context.Context, blob api.BlobInfo) error {
	url := local.URL(api.Casd, api.PathBlobFetch(blob.SHA256)) + "?size=" + strconv.FormatInt(blob.Size, 10)
	var got api.BlobInfo
	if err := local.Call(ctx, m.casd, http.MethodPost, url, nil, &got, maxReply); err != nil {
		return fmt.Errorf("fetch on %s: %w", m.Name, err)
	}
	if got != blob {
		return fmt.Errorf("fetch on %s: got %v, want %v", m.Name, got, blob)
	}
	return nil
}
