package apiv1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/feed"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// node answers with this node.
func node(ctx context.Context, n *Node, _ args) (any, error) {
	t, _ := n.Live.Now()
	var mesh api.MeshStatus
	var ps api.PSReply
	if err := n.Bus.Request(ctx, api.SubjectPS, api.Empty{}, &ps); err != nil {
		return nil, fmt.Errorf("ask the launcher: %w: see realm ps", err)
	}
	if err := n.Bus.Request(ctx, api.SubjectMesh, api.Empty{}, &mesh); err != nil {
		return nil, fmt.Errorf("ask meshd: %w: see realm ps", err)
	}
	mesh.Pairing = nil
	return api.NodeReport{Peer: t.Self(), Version: buildinfo.Version, Home: ps.Home, Mesh: mesh, Daemons: ps.Daemons}, nil
}

// entries reads what a bucket holds under a pattern, by key.
func (n *Node) entries(ctx context.Context, bucket, pattern string) ([]bus.Entry, error) {
	b, err := n.Bus.Bucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	all, err := b.All(ctx, pattern)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b bus.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return all, nil
}

// page is the part of rows, which are in the order of key, that a asks for, and where the
// next one begins; "" where there is none.
func page[T any](rows []T, a args, key func(T) string) (part []T, next string) {
	if last := a["after"]; last != "" {
		i, found := slices.BinarySearchFunc(rows, last, func(r T, last string) int { return cmp.Compare(key(r), last) })
		if found {
			i++
		}
		rows = rows[i:]
	}
	if most := a.int("limit", api.MaxReportPage); len(rows) > most {
		rows = rows[:most]
		next = key(rows[most-1])
	}
	return rows, next
}

func peers(ctx context.Context, n *Node, a args) (any, error) {
	all, err := n.entries(ctx, api.BucketPeers, ">")
	if err != nil {
		return nil, err
	}
	part, next := page(all, a, func(e bus.Entry) string { return e.Key })
	out := api.PeersReport{Peers: []api.PeerRecord{}, Next: api.PeerID(next)}
	for _, e := range part {
		var r api.PeerRecord
		if api.DecodeFact(e.Value, api.MaxMessage, &r) == nil && string(r.Peer) == e.Key {
			out.Peers = append(out.Peers, r)
		}
	}
	return out, nil
}

func onePeer(ctx context.Context, n *Node, a args) (any, error) {
	id, err := api.ParsePeerID(a["peer"])
	if err != nil {
		return nil, bad(fmt.Errorf("%w: GET %s/peers lists them", err, api.PathAPI))
	}
	b, err := n.Bus.Bucket(ctx, api.BucketPeers)
	if err != nil {
		return nil, err
	}
	e, err := b.Get(ctx, string(id))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, unknown("peer %s is not known here: GET %s/peers lists those that are", id, api.PathAPI)
	}
	if err != nil {
		return nil, err
	}
	var r api.PeerRecord
	return r, decodeFact(e.Value, &r)
}

// decodeFact reads what is in a bucket into v.
func decodeFact(b []byte, v api.Validator) error { return api.DecodeFact(b, api.MaxMessage, v) }

func members(ctx context.Context, n *Node, a args) (any, error) {
	var req api.MembersRequest
	if last := a["after"]; last != "" {
		var err error
		if req.After, err = api.ParsePeerID(last); err != nil {
			return nil, bad(fmt.Errorf("after: %w", err))
		}
	}
	var r api.MembersReply
	if err := n.Bus.Request(ctx, api.SubjectMembers, req, &r); err != nil {
		return nil, fmt.Errorf("ask meshd: %w: see realm ps", err)
	}
	out := api.MembersReport{Members: append([]api.Member{}, r.Members...)}
	if r.More && len(r.Members) > 0 {
		out.Next = r.Members[len(r.Members)-1].Peer
	}
	return out, nil
}

// get asks a daemon by its socket.
func (n *Node) get(ctx context.Context, d api.Daemon, path string, out api.Validator) error {
	if err := local.Call(ctx, n.Client, http.MethodGet, local.URL(d, path), nil, out, maxReply); err != nil {
		return fmt.Errorf("ask %s: %w", d, err)
	}
	return nil
}

// maxReply caps an answer of a daemon, in bytes.
const maxReply = 16 << 20

func storage(ctx context.Context, n *Node, _ args) (any, error) {
	var s api.StorageStatus
	err := n.get(ctx, api.Casd, "/storage", &s)
	return s, err
}

func transfers(ctx context.Context, n *Node, _ args) (any, error) {
	var t api.TransfersReply
	err := n.get(ctx, api.Casd, "/transfers", &t)
	t.Transfers = append([]api.Transfer{}, t.Transfers...)
	return t, err
}

func events(_ context.Context, n *Node, a args) (any, error) {
	var from feed.Position
	if id := a["after"]; id != "" {
		var err error
		if from, err = feed.ParsePosition(id); err != nil {
			return nil, bad(err)
		}
	}
	past, whole := n.News.After(from)
	out := api.EventsReport{Events: []api.Notice{}, Whole: whole, Next: a["after"]}
	types := a.list("type")
	for _, x := range past {
		if len(out.Events) == a.int("limit", api.MaxReportPage) {
			break
		}
		out.Next = x.ID
		if len(types) == 0 || slices.Contains(types, string(x.Type)) {
			out.Events = append(out.Events, x)
		}
	}
	return out, nil
}
