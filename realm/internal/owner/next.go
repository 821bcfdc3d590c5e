package owner

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// ErrUnchanged says that a workload is already as it should become: there is
// nothing to sign.
var ErrUnchanged = errors.New("nothing to change")

// ErrUnknown says that there is no such workload to change.
var ErrUnknown = errors.New("there is no such program")

// A Change makes the wanted state of a workload out of the current one. current
// is nil where nothing has been signed under this name yet. It returns
// [ErrUnchanged] or [ErrUnknown] where no intent is to be signed.
type Change func(current *intent.Signed) (Wanted, error)

// Wanted is what is to be signed, apart from its place in the sequence.
type Wanted struct {
	Target    api.Target
	Body      any // that becomes the body, as JSON; nil with a Tombstone
	Tombstone bool
	Expires   time.Time // of jobs only; zero: never
}

// Set asks for body on the members of target, whatever there was before.
func Set(target api.Target, body api.Workload) Change {
	return func(*intent.Signed) (Wanted, error) { return Wanted{Target: target, Body: body}, nil }
}

// SetStopped stops (or starts again) what is there.
func SetStopped(stopped bool) Change {
	return func(cur *intent.Signed) (Wanted, error) {
		if cur == nil || cur.Tombstone {
			return Wanted{}, ErrUnknown
		}
		body, err := cur.Workload()
		if err != nil {
			return Wanted{}, err
		}
		if body.Started() != stopped {
			return Wanted{}, ErrUnchanged
		}
		switch b := body.(type) {
		case *api.Component:
			b.Stopped = stopped
		case *api.Function:
			b.Stopped = stopped
		}
		return Wanted{Target: cur.Target, Body: body}, nil
	}
}

// Remove leaves a tombstone: the workload is gone until somebody pushes it again.
// It is for the members that the last version was for; any other has dropped it.
func Remove() Change {
	return func(cur *intent.Signed) (Wanted, error) {
		switch {
		case cur == nil:
			return Wanted{}, ErrUnknown
		case cur.Tombstone:
			return Wanted{}, ErrUnchanged
		}
		return Wanted{Target: cur.Target, Tombstone: true, Expires: cur.Expires}, nil
	}
}

// Again asks for what is wanted already, word for word, in the name of who signs now.
func Again() Change {
	return func(cur *intent.Signed) (Wanted, error) {
		if cur == nil {
			return Wanted{}, ErrUnknown
		}
		return again(*cur), nil
	}
}

func again(s intent.Signed) Wanted {
	w := Wanted{Target: s.Target, Tombstone: s.Tombstone, Expires: s.Expires}
	if !s.Tombstone {
		w.Body = s.Body
	}
	return w
}

// Place is where a version goes in the sequence of its Ref: its number, and the
// digest of the version that it replaces.
type Place struct {
	Seq  uint64
	Prev api.Digest
}

// Next signs the version of ref that change makes of current (nil: nothing has been
// signed yet), at its place.
func (s Signer) Next(ref api.Ref, at Place, current *intent.Signed, change Change, issued time.Time) (intent.Signed, error) {
	want, err := change(current)
	if err != nil {
		return intent.Signed{}, err
	}
	return s.sign(ref, at, want, issued)
}

func (s Signer) sign(ref api.Ref, at Place, want Wanted, issued time.Time) (intent.Signed, error) {
	issued = issued.UTC().Round(0)
	if ref.Kind != api.KindJob { // of which two that are alike are two, and tell themselves apart by this
		issued = issued.Truncate(time.Second)
	}
	in := api.Intent{Realm: s.Realm, Ref: ref, Seq: at.Seq, Prev: at.Prev, Issued: issued, Target: want.Target, Tombstone: want.Tombstone, Expires: want.Expires}
	if !want.Tombstone {
		var err error
		if in.Body, err = json.Marshal(want.Body); err != nil {
			return intent.Signed{}, fmt.Errorf("sign intent %s: %w", ref, err)
		}
	}
	signed, err := intent.Sign(in, s.Key.Signer())
	if err != nil || s.Grant == nil {
		return signed, err
	}
	return signed.WithGrant(s.Grant.Envelope)
}
