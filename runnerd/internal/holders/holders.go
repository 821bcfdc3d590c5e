package holders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// maxFile caps the file, in bytes.
const maxFile = 64 << 20

// said is the newest statement of a member.
type said struct {
	raw []byte
	api.Holdings
}

// Holders is what is known. It is safe for use by several goroutines.
type Holders struct {
	path string

	mu   sync.Mutex
	all  map[api.PeerID]said
	live map[api.PeerID]bool // those that are up, and speak for themselves
	bad  error               // the file could not be written last
}

// Open reads what is remembered in the file at path, which need not exist. What cannot be
// read is forgotten.
func Open(path string) (*Holders, error) {
	h := &Holders{path: path, all: map[api.PeerID]said{}, live: map[api.PeerID]bool{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open holdings: %w", err)
	}
	defer f.Close()
	raw, err := api.ReadAll(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("open holdings: %w", err)
	}
	var kept [][]byte
	if json.Unmarshal(raw, &kept) == nil {
		for _, s := range kept {
			h.take(s)
		}
	}
	return h, nil
}

// take takes in a statement, and reports whether it is news.
func (h *Holders) take(raw []byte) bool {
	s, err := intent.ReadHoldings(raw)
	if err != nil {
		return false
	}
	if old, ok := h.all[s.Peer]; ok && old.Seq >= s.Seq {
		return false
	}
	h.all[s.Peer] = said{bytes.Clone(raw), s}
	return true
}

// known reports whether raw is remembered as it is.
func (h *Holders) known(raw []byte) bool {
	for _, s := range h.all {
		if bytes.Equal(s.raw, raw) {
			return true
		}
	}
	return false
}

// Told takes in what a member tells of itself and of others, and reports whether anything
// is news. Statements that are not good are passed over.
func (h *Holders) Told(statements [][]byte) (news bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, raw := range statements {
		if !h.known(raw) && h.take(raw) {
			news = true
		}
	}
	if news || h.bad != nil {
		h.bad = h.save()
	}
	return news, h.bad
}

// save writes what is remembered; h.mu is held.
func (h *Holders) save() error {
	var kept [][]byte
	for _, s := range h.sorted() {
		kept = append(kept, s.raw)
	}
	raw, err := json.Marshal(kept)
	if err == nil {
		err = atomicfile.Write(h.path, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("remember holdings: %w", err)
	}
	return nil
}

// sorted is what is remembered by peer; h.mu is held.
func (h *Holders) sorted() []said {
	out := make([]said, 0, len(h.all))
	for _, s := range h.all {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b said) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	return out
}

// Held is what was stated of one copy of a volume.
type Held struct {
	Peer api.PeerID
	api.HeldVolume
}

// Of lists who has said to have a copy of a volume in a realm, by peer.
func (h *Holders) Of(realm api.RealmID, volume api.Name) (out []Held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sorted() {
		if s.Realm != realm {
			continue
		}
		for _, v := range s.Volumes {
			if v.Volume == volume {
				out = append(out, Held{s.Peer, v})
			}
		}
	}
	return out
}

// SetLive says whether p is up, and speaks for itself; it reports whether that is news.
func (h *Holders) SetLive(p api.PeerID, live bool) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live[p] == live {
		return false
	}
	if h.live[p] = live; !live {
		delete(h.live, p)
	}
	_, matters := h.all[p]
	return matters
}

// Tell is what this node tells others: what self has stated, and what those have that are
// members and not up, as far as it is for self to speak for them. Where there are too many,
// those that hold something come first.
func (h *Holders) Tell(self api.PeerID, member func(api.PeerID) bool) (out [][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.DeleteFunc(h.sorted(), func(s said) bool {
		return s.Peer != self && (h.live[s.Peer] || !member(s.Peer) || !h.speaks(self, s.Peer))
	})
	weight := func(s said) int {
		switch {
		case s.Peer == self:
			return 0
		case len(s.Volumes) > 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b said) int { return weight(a) - weight(b) })
	size := 0
	for _, s := range all {
		if size += len(s.raw); size > api.MaxToldBytes || len(out) == api.MaxTold {
			break
		}
		out = append(out, s.raw)
	}
	return out
}

// spokesmen is how many members speak for one that is away.
const spokesmen = 3

// speaks reports whether self speaks for p, which is away: the first few of those that are
// up do, in an order of their own for each p. h.mu is held.
func (h *Holders) speaks(self, p api.PeerID) bool {
	rank := func(who api.PeerID) api.Digest { return api.Sum([]byte(string(p) + " " + string(who))) }
	mine, before := rank(self), 0
	for who := range h.live {
		if who != self && rank(who).Compare(mine) < 0 {
			before++
		}
	}
	return before < spokesmen
}

// Last is the number of the last statement of p; 0: there is none.
func (h *Holders) Last(p api.PeerID) (seq uint64, volumes []api.HeldVolume) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.all[p]
	return s.Seq, s.Volumes
}
