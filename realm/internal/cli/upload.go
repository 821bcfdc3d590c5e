package cli

import (
	"bytes"
	"context"
	"io"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// upload stores the program on the node, and shows how far it is.
func (a *app) upload(ctx context.Context, n *node.Node, p program) error {
	blob := api.BlobInfo{SHA256: p.module.Digest, Size: p.module.Size()}
	name := filepath.Base(p.file)
	shown := a.newProgress(name, blob.Size)
	err := n.Upload(ctx, blob, func() io.Reader { return shown.reader(bytes.NewReader(p.module.Bytes)) })
	shown.end()
	if err != nil {
		return err
	}
	a.say("%s: %s, sha256 %s, is stored on this node", name, bytesText(blob.Size), blob.SHA256.Short())
	return nil
}
