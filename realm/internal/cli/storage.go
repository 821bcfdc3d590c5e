package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStorage(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "storage",
		Short: "The store of blobs: put, get, ls, du, pin, unpin, gc, verify, transfers",
		Long: `A blob is bytes of any size, named by their SHA-256: programs are blobs, and so is
whatever else is put into the store of a node. SHA256 is the name of one, or its first
digits, six at least, where they mean one blob of this node or of the realm.

What the realm needs is kept on three members: the blobs of its programs, of their last
five versions, and those that are pinned. Anything else is cached: it goes when room is
wanted, the least recently used first.`,
		Example: `  realm storage put disk.img --pin --name image
  realm storage get 93a44bbb96c7 -o disk.img
  realm storage ls`,
	}, newStoragePut(a), newStorageGet(a), newStorageList(a), newStorageUsage(a), newStoragePin(a), newStorageUnpin(a),
		newStorageCollect(a), newStorageVerify(a), newStorageTransfers(a))
}

// blobArgument wants one argument, the digest of a blob or its first digits.
func blobArgument(cmd *cobra.Command, args []string) error {
	if err := arguments("SHA256")(cmd, args); err != nil {
		return err
	}
	_, err := parseDigits(args[0])
	return misused(cmd, err)
}

// blob is the blob that a command is about, whose arguments have passed [blobArgument].
func blob(ctx context.Context, n *node.Node, args []string) (api.Digest, error) {
	d, err := parseDigits(args[0])
	if err != nil {
		return api.Digest{}, err
	}
	return d.find(ctx, n)
}

// reference is why the realm needs a blob, in JSON.
type reference struct {
	api.Ref
	Version uint64 `json:"version,omitempty"` // the newest that names it; 0: not known here
	Current bool   `json:"current,omitempty"` // it is the one that counts
}

func (r reference) String() string {
	switch {
	case r.Kind == api.KindPin || r.Version == 0:
		return r.Ref.String()
	case r.Current:
		return fmt.Sprintf("%s v%d", r.Ref, r.Version)
	}
	return fmt.Sprintf("%s v%d (earlier)", r.Ref, r.Version)
}

// needs are the blobs that the realm needs, and why.
type needs map[api.Digest]*need

type need struct {
	size int64
	refs []reference // those that count now first
}

// readNeeds asks meshd what the realm needs.
func readNeeds(ctx context.Context, n *node.Node) (needs, error) {
	all := needs{}
	err := n.References(ctx, func(r api.Reference) error {
		b := all[r.Blob]
		if b == nil {
			b = &need{size: r.Size}
			all[r.Blob] = b
		}
		if i := slices.IndexFunc(b.refs, func(o reference) bool { return o.Ref == r.Ref }); i >= 0 { // the newest comes first
			b.refs[i].Current = b.refs[i].Current || r.Current
			return nil
		}
		b.refs = append(b.refs, reference{r.Ref, r.Seq, r.Current})
		return nil
	})
	for _, b := range all {
		slices.SortStableFunc(b.refs, func(x, y reference) int {
			if x.Current != y.Current {
				if x.Current {
					return -1
				}
				return 1
			}
			return strings.Compare(x.Ref.String(), y.Ref.String())
		})
	}
	return all, err
}

// hosts is what the members that a node knows call themselves.
func hosts(s node.Snapshot) map[api.PeerID]string {
	out := map[api.PeerID]string{}
	for id, p := range s.Peers {
		out[id] = p.Host
	}
	return out
}

// named are members as people call them.
func named(peers []api.PeerID, hosts map[api.PeerID]string) []someone {
	out := []someone{}
	for _, p := range peers {
		out = append(out, someone{p, hosts[p]})
	}
	return out
}

// namesText lists members by their hosts' names, and by the ends of their ids, too,
// where others of the realm have that name.
func namesText(all []someone, hosts map[api.PeerID]string) string {
	var words []string
	for _, m := range all {
		twin := m.Host == ""
		for p, h := range hosts {
			twin = twin || h == m.Host && p != m.Peer
		}
		if twin {
			words = append(words, m.String())
		} else {
			words = append(words, clip(oneLine(m.Host), maxHost))
		}
	}
	return strings.Join(words, ", ")
}
