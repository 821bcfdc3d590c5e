package keep

import (
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Known reports whether anything is known of what the realm needs: from meshd, or from
// what it said last.
func (k *Keeper) Known() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known
}

// Needed reports whether the realm needs a blob.
func (k *Keeper) Needed(blob api.Digest) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.needs.of(blob)) > 0
}

// NeededHere reports whether a blob has to stay on this node: a program that runs here
// is made of it, or the realm needs it and this node is one of its keepers, or would be
// if its store were not full. While nobody knows who is there, all that the realm needs
// is needed here.
//
// A full node keeps what it has: if what it was to keep were free to go because it is
// full, it would be full no more, and fetch all of it again.
func (k *Keeper) NeededHere(blob api.Digest) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.neededHere(blob)
}

func (k *Keeper) neededHere(blob api.Digest) bool {
	if _, runs := k.runs.blobs[blob]; runs {
		return true
	}
	of := k.needs.of(blob)
	if len(of) == 0 {
		return false
	}
	me, known := k.roster.me()
	switch {
	case !known || !k.isPlanned():
		return true
	case me.Client || me.Drained:
		return false
	}
	return me.keeps(blob, copiesOf(of), k.all)
}

// keeper reports whether this node is one of those that keep a blob for the realm.
func (k *Keeper) keeper(blob api.Digest) bool {
	me, ok := k.me()
	of := k.needs.of(blob)
	return ok && len(of) > 0 && me.keeps(blob, copiesOf(of), k.all)
}

// Vouch says in the header of an answer about a blob that is here, whole, whether this
// node keeps it.
func (k *Keeper) Vouch(h http.Header, blob api.Digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keeper(blob) && !k.goes.has(blob, time.Now()) {
		h.Set(api.HeaderKeeper, "1")
	}
}

// Describe fills in what the realm has to do with the blob of a record.
func (k *Keeper) Describe(r *api.BlobRecord) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r.Refs = refs(k.needs.of(r.SHA256), api.MaxRecordRefs)
	r.Keeper = k.keeper(r.SHA256)
	r.Copies = 0
	if h := k.holding[r.SHA256]; h != nil {
		r.Copies = h.copies
	}
}
