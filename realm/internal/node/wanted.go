package node

import (
	"errors"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// wanted keeps what is wanted of each program, by all intents that were seen. That
// a key is gone from the bucket says nothing: what has been signed stays signed.
type wanted struct {
	ledger *ledger.Ledger
	now    func() time.Time
	out    Snapshot

	raw     [][]byte        // seen, and not read yet
	waiting []intent.Signed // of signers who have no say yet
}

func newWanted(pin trust.Pin, now func() time.Time, out Snapshot) *wanted {
	return &wanted{ledger: ledger.New(pin), now: now, out: out}
}

func (w *wanted) event(ev bus.Event) {
	if ev.Kind == bus.Put {
		w.raw = append(w.raw, ev.Value)
	}
}

// settle reads what has come since it was called last, and draws the conclusions.
func (w *wanted) settle() {
	if len(w.raw) == 0 {
		return
	}
	news := append(readIntents(w.raw), w.waiting...)
	w.raw, w.waiting = nil, nil
	c, errs := w.ledger.Restore(news, w.now())
	for i, s := range news {
		if errors.Is(errs[i], ledger.ErrUnauthorized) {
			w.waiting = append(w.waiting, s)
		}
	}
	refs := map[api.Ref]bool{}
	for _, s := range append(c.Added, c.Dropped...) {
		refs[s.Ref] = true
	}
	if c.Trust {
		for _, r := range w.ledger.Refs() {
			refs[r] = true
		}
	}
	for r := range refs {
		if r.Kind == api.KindNode {
			w.settings(r)
		} else if r.Kind == api.KindVolume {
			w.volume(r)
		} else if s, ok := w.ledger.Current(r, w.now()); ok && r.Kind.Workload() {
			w.out.Intents[r] = s
		} else {
			delete(w.out.Intents, r)
		}
	}
}

// volume takes down what was decided of the volume that r is about.
func (w *wanted) volume(r api.Ref) {
	var v api.Volume
	if s, ok := w.ledger.Current(r, w.now()); ok && !s.Tombstone && api.Decode(s.Body, api.MaxEnvelope, &v) == nil {
		w.out.Volumes[r.Name] = v
	} else {
		delete(w.out.Volumes, r.Name)
	}
}

// settings takes down what is wanted of the node that r is about.
func (w *wanted) settings(r api.Ref) {
	pub, err := api.ParseKeyName(r.Name)
	if err != nil {
		return
	}
	if v, ok := w.ledger.NodeSettings(keys.Public(pub), w.now()); ok {
		w.out.Settings[keys.Peer(pub)] = v
	} else {
		delete(w.out.Settings, keys.Peer(pub))
	}
}
