package casd

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/keep"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Damage that is met by who reads a blob is mended from another member without being
// asked for, long before the scrub comes by.
func TestDamageMetByReaders(t *testing.T) {
	blob := noise(1, 3*mib)
	read := func(n *node, method, path string) { n.do(method, path, nil) }
	for name, meet := range map[string]func(n *node, d, chunk api.Digest){
		"a chunk": func(n *node, _, chunk api.Digest) { read(n, http.MethodGet, api.PathChunk(chunk)) },
		"a blob": func(n *node, d, _ api.Digest) {
			if resp, err := n.client.Get(n.url + api.PathBlob(d)); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body) // it is cut off somewhere
				resp.Body.Close()
			}
			n.until("the damage is met", func() bool {
				read(n, http.MethodGet, api.PathBlobIndex(d))
				return n.daemon.scrubber.Stats().Damaged > 0
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, peer := start(t, t.TempDir(), patient), start(t, t.TempDir(), nil)
			d := n.put(blob)
			peer.put(blob)
			n.peers(map[api.PeerID]*node{peerID("B"): peer})
			idx := n.index(d)
			n.spoil(d)
			meet(n, d, idx.Chunks[len(idx.Chunks)/2].SHA256)
			n.until("it is whole again", func() bool {
				resp, got := n.do(http.MethodGet, api.PathBlob(d), nil)
				return resp.StatusCode == http.StatusOK && bytes.Equal(got, blob)
			})
		})
	}
}

// What the realm needs is tried again by its keeper: a member that can give sound bytes
// need not be there at the time of the damage.
func TestKeeperMendsDamage(t *testing.T) {
	blob := noise(1, 3*mib)
	ref := api.Reference{Blob: api.Sum(blob), Size: int64(len(blob)), Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Seq: 1, Current: true}
	self, other := api.PeerRecord{Self: true, Live: true}, api.PeerRecord{Live: true}
	self.Peer, other.Peer = peerID("A"), peerID("B")
	members := watcher{string(self.Peer): &self, string(other.Peer): &other}

	peer := start(t, t.TempDir(), nil)
	n := launch(t, t.TempDir(), patient, func(p *parts) {
		p.needs = nil
		p.bucket = func(_ context.Context, name string) (keep.Watcher, error) {
			if name == api.BucketPeers {
				return members, nil
			}
			return watcher{}, nil
		}
	})
	d := n.put(blob)
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteReferences, func(w http.ResponseWriter, _ *http.Request) { local.WriteJSON(w, http.StatusOK, ref) })
	n.mesh(self.Peer, map[api.PeerID]*node{other.Peer: peer}, mux)
	n.until("it keeps the blob", func() bool { return n.daemon.keeper.Needed(d) && n.value("keep_kept_blobs") == 1 })
	n.spoil(d)
	_, _ = n.do(http.MethodGet, api.PathChunk(n.index(d).Chunks[len(n.index(d).Chunks)/2].SHA256), nil)
	n.until("the scrubber has tried in vain", func() bool { return n.value("keep_lacking_blobs") == 1 && n.daemon.scrubber.Stats().Damaged == 1 })
	peer.put(blob)
	n.until("it is whole again", func() bool {
		resp, got := n.do(http.MethodGet, api.PathBlob(d), nil)
		return resp.StatusCode == http.StatusOK && bytes.Equal(got, blob)
	})
}

// watcher is a bucket in which nothing changes.
type watcher map[string]any

// Watch implements [keep.Watcher].
func (b watcher) Watch(ctx context.Context, _ string, fn func(bus.Event) error) error {
	events := []bus.Event{{Kind: bus.Reset}}
	for key, v := range b {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		events = append(events, bus.Event{Kind: bus.Put, Entry: bus.Entry{Key: key, Value: raw}})
	}
	for _, ev := range slices.Concat(events, []bus.Event{{Kind: bus.Synced}}) {
		if err := fn(ev); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}
