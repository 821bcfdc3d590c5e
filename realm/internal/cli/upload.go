package cli

import (
	"bytes"
	"context"
	"io"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/pack"
)

// upload stores the program on the node, and the files of its mounts, and shows how far
// it is.
func (a *app) upload(ctx context.Context, n *node.Node, p program) error {
	blob := api.BlobInfo{SHA256: p.module.Digest, Size: p.module.Size()}
	err := a.storeBlob(ctx, n, filepath.Base(p.file), blob, func() io.ReadCloser { return io.NopCloser(bytes.NewReader(p.module.Bytes)) })
	if err != nil {
		return err
	}
	return a.uploadFiles(ctx, n, p.files)
}

// uploadFiles stores what the node has not of files.
func (a *app) uploadFiles(ctx context.Context, n *node.Node, files []pack.Blob) error {
	for _, b := range files {
		if _, there, err := n.Stored(ctx, b.SHA256); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		if err := a.uploadBlob(ctx, n, b); err != nil {
			return err
		}
	}
	return nil
}

// uploadBlob stores a blob, and gives up where its bytes cannot be made any more.
func (a *app) uploadBlob(ctx context.Context, n *node.Node, b pack.Blob) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	err := a.storeBlob(ctx, n, filepath.Base(b.Name), b.BlobInfo, func() io.ReadCloser { return b.Open(ctx, fail) })
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// storeBlob brings a blob to the node. What open gives is closed when it is read no more.
func (a *app) storeBlob(ctx context.Context, n *node.Node, name string, blob api.BlobInfo, open func() io.ReadCloser) error {
	shown := a.newProgress(name, blob.Size)
	last := io.NopCloser(nil)
	err := n.Upload(ctx, blob, func() io.Reader {
		last.Close()
		last = open()
		return shown.reader(last)
	})
	last.Close()
	shown.end()
	if err != nil {
		return err
	}
	a.say("%s: %s, sha256 %s, is stored on this node", name, bytesText(blob.Size), blob.SHA256.Short())
	return nil
}
