package ledger

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// missingError is [ErrUnauthorized], and says who would have to have a say.
type missingError struct {
	key keys.Public
	why string
}

func (e *missingError) Error() string { return ErrUnauthorized.Error() + ": " + e.why }
func (e *missingError) Unwrap() error { return ErrUnauthorized }

// check reports why s is not to be held. own says that this node has held it before.
func (l *state) check(s intent.Signed, now time.Time, own bool) error {
	if s.Realm != l.pin.Realm {
		return fmt.Errorf("%w: %s, this node is of %s", ErrRealm, s.Realm, l.pin.Realm)
	}
	if !s.Expires.IsZero() && !now.Before(s.Expires) {
		return fmt.Errorf("%w: at %s", ErrExpired, s.Expires.Format(time.RFC3339))
	}
	if s.Kind == api.KindRotate {
		return l.checkRotation(s)
	}
	if i, retired := l.retired[s.Signer]; retired && (!own || i < l.settled) {
		return fmt.Errorf("%w: the owner has a new key since", ErrRevoked)
	}
	if err := l.allowed(s); err != nil {
		return err
	}
	if s.Witness == nil {
		return nil
	}
	l.refresh()
	if !l.roster.member(s.Witness.By) {
		return &missingError{s.Witness.By, fmt.Sprintf("%s, who has countersigned, is no member", keys.Peer(s.Witness.By.Key()))}
	}
	return nil
}

// allowed reports why s's signer, who is not a retired key, may not sign it; who has
// countersigned is not asked.
func (l *state) allowed(s intent.Signed) error {
	owns := l.owns(s.Signer)
	switch {
	case s.Kind == api.KindMember:
		return l.allowedMember(s, owns)
	case owns:
		return nil
	case s.Seq > MaxGrantedSeq:
		return fmt.Errorf("%w: numbers above %d are the owner's", ErrForbidden, uint64(MaxGrantedSeq))
	case s.Kind.Trust():
		return &missingError{s.Signer, fmt.Sprintf("only the owner signs a %s", s.Kind)}
	}
	return l.allowedGrant(s)
}

// allowedGrant reports why the grant of s's signer does not cover s. A manifest has no
// target, and moves nothing by itself: the tags of a grant are asked of what it lists.
func (l *state) allowedGrant(s intent.Signed) error {
	g, err := l.grantOf(s.Signer)
	if err != nil {
		return err
	}
	right := s.Kind.Right()
	switch {
	case right == "":
		return fmt.Errorf("%w: only the owner signs a %s", ErrForbidden, s.Kind)
	case !slices.Contains(g.May, right):
		return fmt.Errorf("%w: its grant does not say %s", ErrForbidden, right)
	case !strings.HasPrefix(string(s.Name), g.Prefix):
		return fmt.Errorf("%w: its grant is for names that begin with %q", ErrForbidden, g.Prefix)
	case !g.Expires.IsZero() && s.Issued.After(g.Expires):
		return fmt.Errorf("%w: its grant ended at %s", ErrExpired, g.Expires.Format(time.RFC3339))
	case len(g.Tags) > 0 && s.Kind != api.KindManifest && (len(s.Target.Tags) == 0 || !subset(s.Target.Tags, g.Tags)):
		return fmt.Errorf("%w: its grant is for members with a tag among %v: add --tag", ErrForbidden, g.Tags)
	}
	return nil
}

// May reports why k has not the right to the thing of that name at now.
func (l *Ledger) May(k keys.Public, right api.Right, name api.Name, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owns(k) {
		return nil
	}
	g, err := l.grantOf(k)
	switch {
	case err != nil:
		return err
	case !slices.Contains(g.May, right):
		return fmt.Errorf("%w: its grant does not say %s", ErrForbidden, right)
	case !strings.HasPrefix(string(name), g.Prefix):
		return fmt.Errorf("%w: its grant is for names that begin with %q", ErrForbidden, g.Prefix)
	case !g.Expires.IsZero() && now.After(g.Expires):
		return fmt.Errorf("%w: its grant ended at %s", ErrExpired, g.Expires.Format(time.RFC3339))
	}
	return nil
}

func subset(a, of []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(of, s) })
}

// grantOf is the grant that k holds, if it was not revoked.
func (l *state) grantOf(k keys.Public) (api.Grant, error) {
	return body[api.Grant](l, api.KindGrant, k)
}

// inviteOf is the invite that k is the key of, if it was not revoked.
func (l *state) inviteOf(k keys.Public) (api.Invite, error) {
	return body[api.Invite](l, api.KindInvite, k)
}

func body[T any](l *state, kind api.Kind, k keys.Public) (v T, err error) {
	s, ok := l.word(api.Ref{Kind: kind, Name: api.KeyName(k.Key())})
	switch {
	case !ok:
		return v, &missingError{k, fmt.Sprintf("there is no %s for its key %s", kind, k)}
	case s.Tombstone:
		return v, fmt.Errorf("%w: the owner has revoked its %s", ErrRevoked, kind)
	}
	if v, ok := l.bodies[s.Digest].(T); ok {
		return v, nil
	}
	if err := json.Unmarshal(s.Body, &v); err != nil {
		return v, err // Read has seen to it that there is none
	}
	l.bodies[s.Digest] = v
	return v, nil
}

// Fresh reports whether s may come in at now from whoever has just signed it: not
// under a grant that has ended, and not where it would push what its signer has
// signed before out of the set. What members hold already is not asked for that,
// since what a grant was good for lasts longer than the grant.
func (l *Ledger) Fresh(s intent.Signed, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Kind.Trust() || l.owns(s.Signer) {
		return nil
	}
	err := l.crowded(s)
	if g, ok := l.newestGrant(s); ok && !g.Expires.IsZero() && now.After(g.Expires) {
		err = fmt.Errorf("%w: its grant ended at %s: ask the owner for a longer one", ErrExpired, g.Expires.Format(time.RFC3339))
	}
	if err != nil {
		return fmt.Errorf("%s number %d: %w", s.Ref, s.Seq, err)
	}
	return nil
}

// newestGrant is the grant that s's signer is known to hold, or the one that came with
// s, if that is newer: where the signer is the owner. Whether it is, is found out when s
// is added.
func (l *state) newestGrant(s intent.Signed) (g api.Grant, ok bool) {
	ref := api.Ref{Kind: api.KindGrant, Name: s.By()}
	known, ok := l.word(ref)
	if s.Grant != nil && (!ok || !bytes.Equal(known.Envelope, s.Grant)) {
		came, err := intent.Read(s.Grant)
		if err == nil && came.Ref == ref && came.Signer == l.owner() && came.Version().Newer(known.Version()) {
			known, ok = came, true
		}
	}
	return g, ok && !known.Tombstone && json.Unmarshal(known.Body, &g) == nil
}

// say lists what those who have a say about ref want at now, the weightiest first: the
// owner, then granted keys, those that have had it longest first.
func (l *state) say(ref api.Ref, now time.Time) (out []intent.Signed) {
	if s, ok := l.ownersTop(ref, now); ok {
		out = append(out, s)
	}
	type voice struct {
		intent.Signed
		since time.Time
	}
	var voices []voice
	for _, k := range l.byRef[ref] {
		if l.owns(k) || ref.Kind.Trust() {
			continue
		}
		s, counts := l.top(Slot{Ref: ref, Signer: k}, now)
		if g, err := l.grantOf(k); counts && err == nil {
			voices = append(voices, voice{s, g.Since})
		}
	}
	slices.SortFunc(voices, func(a, b voice) int {
		return cmp.Or(a.since.Compare(b.since), slices.Compare(a.Signer[:], b.Signer[:]))
	})
	for _, v := range voices {
		out = append(out, v.Signed)
	}
	return out
}

// ownersTop is word for any kind: the owner's newest version that counts at now.
func (l *state) ownersTop(ref api.Ref, now time.Time) (intent.Signed, bool) {
	s, ok := l.top(Slot{Ref: ref, Signer: l.owner()}, now)
	for i := len(l.path) - 1; i >= 0 && !ok; i-- {
		s, ok = l.top(Slot{Ref: ref, Signer: l.path[i].Signer}, now)
	}
	return s, ok
}
