package node

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Holdings is what members have stated last of the volumes on them, also those that are
// away, by peer.
func (s Snapshot) Holdings() []api.Holdings {
	newest := map[api.PeerID]api.Holdings{}
	for _, p := range s.Peers {
		for _, raw := range p.Holdings {
			h, known := s.held[string(raw)]
			if !known {
				var err error
				if h, err = intent.ReadHoldings(raw); err != nil {
					h = api.Holdings{} // it says nothing, of nobody
				}
				s.held[string(raw)] = h
			}
			if h.Seq > newest[h.Peer].Seq {
				newest[h.Peer] = h
			}
		}
	}
	out := make([]api.Holdings, 0, len(newest))
	for _, h := range newest {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b api.Holdings) int { return cmp.Compare(a.Peer, b.Peer) })
	return out
}

// Holders are those that have a copy of a volume which counts, by id.
func (s Snapshot) Holders(n api.Name) (out []api.PeerID) {
	v := s.Volumes[n]
	for _, h := range s.Holdings() {
		for _, held := range h.Volumes {
			if held.Volume == n && v.Counts(h.Peer, held.Epoch) {
				out = append(out, h.Peer)
			}
		}
	}
	return out
}

// maxVolumes caps an encoded [api.VolumesReply], or [api.VolumeFiles], in bytes.
const maxVolumes = 1 << 20

// Volumes asks a member which volumes it has. self tells that it is this node.
func (n *Node) Volumes(ctx context.Context, p api.PeerID, self bool) ([]api.VolumeInfo, error) {
	var out api.VolumesReply
	err := n.fact(ctx, volumeURL(p, self, api.ServiceNode, api.PathVolumes), maxVolumes, &out)
	return out.Volumes, wrap("ask for volumes", err)
}

// VolumeFiles asks a member what is in its copy of a volume.
func (n *Node) VolumeFiles(ctx context.Context, p api.PeerID, self bool, v api.Name) (out api.VolumeFiles, err error) {
	err = n.fact(ctx, volumeURL(p, self, api.ServiceNode, api.PathVolumeFiles(v)), maxVolumes, &out)
	return out, wrap("ask about volume "+string(v), err)
}

func volumeURL(p api.PeerID, self bool, s api.Service, path string) string {
	if self {
		return local.URL(api.Runnerd, path)
	}
	return local.URL(api.Meshd, api.PathPeer(p, s, path))
}

// ExportVolume reads the files of a member's copy of a volume, as a zip archive, with a signed
// [api.VolumeRead].
func (n *Node) ExportVolume(ctx context.Context, p api.PeerID, self bool, v api.Name, word []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, volumeURL(p, self, api.ServiceCall, api.PathVolumeExport(v)), bytes.NewReader(word))
	if err != nil {
		return nil, fmt.Errorf("export volume %s: %w", v, err)
	}
	resp, err := n.http.Do(req)
	if err == nil {
		if err = local.CheckStatus(resp); err != nil {
			resp.Body.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("export volume %s: %w", v, err)
	}
	return resp.Body, nil
}
