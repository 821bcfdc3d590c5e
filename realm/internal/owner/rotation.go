package owner

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

var (
	rotateRef = api.Ref{Kind: api.KindRotate, Name: api.NameOwner}
	settleRef = api.Ref{Kind: api.KindSettle, Name: api.NameOwner}
)

// Rotate signs that next takes over from s, the owner as l knows it. It is signed
// once: two rotations by one key contradict each other, also when they name the same
// new one.
func (s Signer) Rotate(l *ledger.Ledger, next ed25519.PrivateKey, now, issued time.Time) (intent.Signed, error) {
	return s.Act(l, Act{rotateRef, func(*intent.Signed) (Wanted, error) {
		seq, _ := l.Next(rotateRef, now)
		pub := keys.PublicOf(next)
		return Wanted{Body: &api.Rotation{Key: api.KeyName(pub.Key()),
			Proof: ed25519.Sign(next, api.RotationProof(s.Realm, seq, s.Key.Public().Key()))}}, nil
	}}, now, issued)
}

// Settle says that all that goes on has been signed by the owner's new key, as it is
// in l.
func Settle(l *ledger.Ledger) Act {
	s := l.Settlement()
	return Act{settleRef, Say(&s)}
}

// SaveRotation keeps a signed rotation beside the key file, from before the new key
// is in that until the rotation is settled, so that it can be sent once more.
func SaveRotation(keyFile string, s intent.Signed) error {
	if err := atomicfile.Write(paths.OwnerRotation(keyFile), append(s.Envelope, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep rotation: %w", err)
	}
	return nil
}

// DropRotation forgets what [SaveRotation] has kept.
func DropRotation(keyFile string) error {
	if err := os.Remove(paths.OwnerRotation(keyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget rotation: %w", err)
	}
	return nil
}

// Begun returns the rotation that leads to k, where one was begun in this account
// and is not known to be settled. One that was kept and leads to another key was
// never sent: its new key is not to be had any more.
func (k Key) Begun() (s intent.Signed, ok bool, err error) {
	path := paths.OwnerRotation(k.Path)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("read rotation: %w", err)
	}
	defer f.Close()
	raw, err := api.ReadAll(f, api.MaxEnvelope)
	if err == nil {
		s, err = intent.Read(raw)
	}
	if err == nil && s.Ref != rotateRef {
		err = fmt.Errorf("it is a %s", s.Kind)
	}
	if err != nil {
		return s, false, fmt.Errorf("read rotation %s: %w: if no rotation is under way, remove the file", path, err)
	}
	var r api.Rotation
	if err := json.Unmarshal(s.Body, &r); err != nil {
		return s, false, fmt.Errorf("read rotation %s: %w", path, err)
	}
	return s, r.Key == api.KeyName(k.Public().Key()), nil
}

// retired are the keys that were the owner's.
func retired(l *ledger.Ledger, now time.Time) map[keys.Public]bool {
	out := map[keys.Public]bool{}
	for _, v := range l.History(rotateRef, now) {
		out[v.Signer] = true
	}
	return out
}

// Rotating reports whether the owner has a new key in l that has not yet signed all
// that the old one had.
func Rotating(l *ledger.Ledger, now time.Time) bool {
	return len(retired(l, now)) > 0 && !l.Settled()
}

// ErrForeign says that there is something to sign anew that only a newer version of
// this program can sign.
var ErrForeign = errors.New("the owner has signed what this version of realm does not know: rotate with a newer one")

// CheckRotate says why the owner's key cannot be rotated now.
func CheckRotate(l *ledger.Ledger, now time.Time) error {
	for _, ref := range l.Refs() {
		if cur, ok := l.Current(ref, now); ok && !ref.Kind.Known() && cur.Signer == l.Owner() {
			return fmt.Errorf("%w: %s", ErrForeign, ref)
		}
	}
	return nil
}

// Left lists what the owner's new key has to sign so that everything goes on as it
// is when nothing of the old ones counts any more: first what is about keys, at last
// manifests (see [Together]).
func Left(l *ledger.Ledger, now time.Time) ([]Act, error) {
	old := retired(l, now)
	var trusts, programs, manifests []Act
	for _, ref := range l.Refs() {
		cur, ok := l.Current(ref, now)
		byOld := ok && old[cur.Signer]
		switch {
		case ref.Kind == api.KindRotate, ref.Kind == api.KindSettle:
		case !ref.Kind.Known():
			if byOld {
				return nil, fmt.Errorf("%w: %s", ErrForeign, ref)
			}
		case ref.Kind == api.KindMember && !ok:
			if m, ok := memberOf(l, ref, now); ok {
				trusts = append(trusts, Act{ref, Say(&api.Membership{Roles: m.Roles})})
			}
		case ref.Kind == api.KindInvite && byOld && !live(cur, now):
		case byOld && ref.Kind.Trust():
			trusts = append(trusts, Act{ref, Again()})
		case byOld && ref.Kind == api.KindManifest:
			manifests = append(manifests, againIn(l, ref, now))
		case byOld:
			programs = append(programs, Act{ref, Again()})
		}
	}
	return slices.Concat(trusts, programs, manifests), nil
}

// memberOf is the node that ref is about, if it is a member.
func memberOf(l *ledger.Ledger, ref api.Ref, now time.Time) (api.Member, bool) {
	pub, err := api.ParseKeyName(ref.Name)
	if err != nil {
		return api.Member{}, false
	}
	m, ok := l.Member(keys.Public(pub), now)
	return m, ok && m.Standing == api.StandingMember
}

// live reports whether an invite still lets nodes in.
func live(s intent.Signed, now time.Time) bool {
	var i api.Invite
	return !s.Tombstone && json.Unmarshal(s.Body, &i) == nil && now.Before(i.Expires)
}
