package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Version is an intent about a Ref, and what has become of it.
type Version struct {
	intent.Signed
	State api.VersionState
	Owner bool // signed by the owner
}

// History lists the versions of ref that are held, the newest first.
func (l *Ledger) History(ref api.Ref, now time.Time) []Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	cur, ok := l.current(ref, now)
	if ref.Kind == api.KindMember && !ok {
		cur, _ = l.join(ref)
	}
	var out []Version
	for _, k := range l.byRef[ref] {
		for _, s := range l.slots[Slot{Ref: ref, Signer: k}] {
			out = append(out, Version{Signed: s, Owner: l.owns(k), State: l.become(s, cur, now)})
		}
	}
	slices.SortFunc(out, func(a, b Version) int {
		return cmp.Or(cmp.Compare(b.Seq, a.Seq), b.Digest.Compare(a.Digest))
	})
	forks(out)
	return out
}

// become is what has become of s, where cur is what counts.
func (l *state) become(s, cur intent.Signed, now time.Time) api.VersionState {
	switch {
	case s.Digest == cur.Digest:
		return api.VersionCurrent
	case early(s, now):
		return api.VersionQuarantine
	case s.Signer != cur.Signer && s.Version().Newer(cur.Version()) && (!l.owns(s.Signer) || !l.owns(cur.Signer)):
		return api.VersionShadowed
	}
	return api.VersionReplaced
}

// forks marks those that lost to another one with their number.
func forks(versions []Version) {
	taken := map[uint64]bool{}
	for i, v := range versions {
		switch v.State {
		case api.VersionCurrent:
			taken[v.Seq] = true
		case api.VersionReplaced:
			if taken[v.Seq] {
				versions[i].State = api.VersionFork
			}
			taken[v.Seq] = true
		}
	}
}
