package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// Caps of the book, so that a liar cannot fill memory or disk.
const (
	maxBook      = 256 // members
	maxAddrs     = 32  // of one member
	maxBookBytes = 1 << 20
	forgetAfter  = 30 * 24 * time.Hour
)

// book is what is kept on disk of members that this node has been connected to.
type book struct {
	Peers []bookEntry `json:"peers"`
}

type bookEntry struct {
	Peer  api.PeerID `json:"peer"`
	Addrs []string   `json:"addrs"`
	Seen  time.Time  `json:"seen"` // when it was connected last
}

// Validate implements [api.Validator].
func (b *book) Validate() error {
	for _, e := range b.Peers {
		if _, err := api.ParsePeerID(string(e.Peer)); err != nil {
			return err
		}
	}
	return nil
}

// readBook reads the book at path; a missing one is empty.
func readBook(path string) (book, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return book{}, nil
	}
	if err != nil {
		return book{}, fmt.Errorf("read known members: %w", err)
	}
	var b book
	if err := api.Decode(raw, maxBookBytes, &b); err != nil {
		return book{}, fmt.Errorf("read known members %s: %w", path, err)
	}
	return b, nil
}

// write replaces the book at path with the members seen last.
func (b book) write(path string, now time.Time) error {
	b.Peers = slices.DeleteFunc(b.Peers, func(e bookEntry) bool { return now.Sub(e.Seen) > forgetAfter })
	slices.SortFunc(b.Peers, func(x, y bookEntry) int { return y.Seen.Compare(x.Seen) })
	b.Peers = b.Peers[:min(len(b.Peers), maxBook)]
	raw, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("write known members: %w", err)
	}
	return atomicfile.Write(path, append(raw, '\n'), 0o600)
}

// Remember adds members to the book at path, as if they had been connected now: a node
// that begins to look for members finds these. A broken book is begun anew.
func Remember(path string, members []peer.AddrInfo, now time.Time) error {
	b, err := readBook(path)
	if err != nil {
		b = book{}
	}
	for _, m := range members {
		id, err := p2p.ID(m.ID)
		if err != nil || len(m.Addrs) == 0 {
			continue
		}
		e := bookEntry{Peer: id, Seen: now.UTC()}
		for _, a := range m.Addrs[:min(len(m.Addrs), maxAddrs)] {
			e.Addrs = append(e.Addrs, a.String())
		}
		b.Peers = append(slices.DeleteFunc(b.Peers, func(o bookEntry) bool { return o.Peer == id }), e)
	}
	return b.write(path, now)
}
