package wanted

import (
	"encoding/json"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// restore makes a set of what is shown all at once, after a start. While the owner's
// key is being replaced, what the old key has signed counts, and nothing new by it:
// so the set begins with the oldest key that a path of rotations leads from, to or
// from the pinned one, and takes the intents of each key before the rotation that
// retires it. Those of retired keys are taken only if they were accepted before
// (isMark), since nobody can tell when they were signed.
func restore(pin trust.Pin, all []intent.Signed, isMark func(intent.Signed) bool, now time.Time) (*ledger.Ledger, ledger.Change, []error) {
	path := pathTo(pin.Owner, all)
	retired := map[keys.Public]bool{}
	for _, r := range path {
		retired[r.Signer] = true
	}
	first := pin
	if len(path) > 0 {
		first.Owner = path[0].Signer
	}
	var held []intent.Signed
	for _, s := range all {
		if s.Kind != api.KindRotate && (!retired[s.Signer] || isMark(s)) {
			held = append(held, s)
		}
	}
	set := ledger.New(first)
	var sum ledger.Change
	for _, r := range path {
		c, _ := set.AddAll(held, now) // what is not of this key's time has its turn
		sum = merge(sum, c)
		c, err := set.Add(r, now)
		if err != nil { // a path that does not hold: only the pinned key counts
			set, sum = ledger.New(pin), ledger.Change{}
			break
		}
		sum = merge(sum, c)
	}
	c, errs := set.AddAll(all, now)
	return set, merge(sum, c), errs
}

func merge(a, b ledger.Change) ledger.Change {
	return ledger.Change{Added: append(a.Added, b.Added...), Dropped: append(a.Dropped, b.Dropped...), Trust: a.Trust || b.Trust}
}

// pathTo lists the rotations that lead to owner, and on from it, in their order.
// Whether they hold is for the set to say.
func pathTo(owner keys.Public, all []intent.Signed) (path []intent.Signed) {
	from, to := map[keys.Public]intent.Signed{}, map[keys.Public]intent.Signed{}
	for _, s := range all {
		if s.Kind == api.KindRotate {
			from[s.Signer], to[next(s)] = s, s
		}
	}
	been := map[api.Digest]bool{}
	for r, ok := to[owner]; ok && !been[r.Digest]; r, ok = to[r.Signer] {
		been[r.Digest] = true
		path = append([]intent.Signed{r}, path...)
	}
	for r, ok := from[owner]; ok && !been[r.Digest]; r, ok = from[next(r)] {
		been[r.Digest] = true
		path = append(path, r)
	}
	return path
}

// next is the key that a rotation leads to; the zero key for one that cannot be read.
func next(s intent.Signed) keys.Public {
	var r api.Rotation
	if err := json.Unmarshal(s.Body, &r); err != nil {
		return keys.Public{}
	}
	k, err := api.ParseKeyName(r.Key)
	if err != nil {
		return keys.Public{}
	}
	return keys.Public(k)
}
