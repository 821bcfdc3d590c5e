package workload

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/folders"
	"github.com/realm-mesh/realm/runnerd/internal/unpack"
	"github.com/realm-mesh/realm/runnerd/internal/volume"
)

// archives are the blobs of a node as archives are fetched.
type archives struct{ n *node }

func (a archives) Bring(context.Context, api.BlobInfo) error { return nil }

func (a archives) Open(_ context.Context, b api.BlobInfo) (io.ReadCloser, error) {
	raw, ok := a.n.blobs[b.SHA256]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

// folders gives what a process that begins finds of the node's folders.
func (n *node) folders(host *admit.Node) *folders.Node {
	files, err := unpack.Open(filepath.Join(n.dir, "files"), archives{n})
	if err != nil {
		n.t.Fatal(err)
	}
	volumes, err := volume.Open(volume.Config{
		Dir: filepath.Join(n.dir, "volumes"), Self: keys.Peer(n.owner.Public().(ed25519.PublicKey)),
		Realm: func() api.RealmID { return "abcdefghijklmnopqrstuvwxyz234567" }, Decided: func(api.Name) api.Volume { return api.Volume{} }, Unpack: files.Into, Changed: func() {}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := folders.New(host, files, volumes, filepath.Join(n.dir, "work"))
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}
