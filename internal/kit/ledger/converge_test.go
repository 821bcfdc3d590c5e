package ledger

import (
	"crypto/ed25519"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// world is everything that has ever been signed in a realm, in an order in which it
// can have been.
type world struct {
	*rand.Rand
	t      testing.TB
	owners []ed25519.PrivateKey // one after the other
	turns  []intent.Signed
	all    []intent.Signed
	trusts []intent.Signed // rotations and settlements
}

// Keys of a world, by what they are for. Some of them meet: an invite's key that is
// granted something, a granted key that becomes the owner's.
var (
	worldGrants  = []ed25519.PrivateKey{key(100), key(101), key(102), key(11)}
	worldInvites = []ed25519.PrivateKey{key(200), key(201), key(100)}
	worldNodes   = []ed25519.PrivateKey{key(300), key(301), key(302), key(303), key(304), key(305)}
	worldOwners  = []ed25519.PrivateKey{owner, key(10), key(11)}
	worldNames   = []string{"a", "ab", "abc", "b"}
)

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 7)), t: t, owners: worldOwners[:1]}
	w.acts(10 + w.IntN(60))
	for range w.IntN(3) {
		w.rotate()
		w.acts(w.IntN(50))
		if w.IntN(4) > 0 {
			w.settle()
		}
		w.acts(w.IntN(20))
	}
	if len(w.turns) > 0 {
		w.settle()
	}
	return w
}

func (w *world) acts(n int) {
	for range n {
		w.act()
	}
}

// seq is mostly small, so that there are forks and replays.
func (w *world) seq() uint64 {
	if w.IntN(30) == 0 {
		return MaxGrantedSeq + uint64(w.IntN(2))
	}
	return 1 + w.Uint64N(12)
}

func (w *world) owner() ed25519.PrivateKey { return w.owners[len(w.owners)-1] }

// anybody is the owner, or one who was, or a granted key, or a stranger.
func (w *world) anybody() ed25519.PrivateKey {
	switch w.IntN(6) {
	case 0, 1:
		return w.owner()
	case 2:
		return pick(w.Rand, w.owners)
	case 3:
		return pick(w.Rand, worldInvites)
	}
	return pick(w.Rand, worldGrants)
}

func (w *world) at() time.Time {
	return t0.Add(pick(w.Rand, []time.Duration{0, 0, 0, 0, -time.Hour, time.Hour, 2 * time.Hour}))
}

func (w *world) act() {
	in := api.Intent{Seq: w.seq(), Issued: w.at(), Tombstone: w.IntN(4) == 0}
	by := w.owner()
	var body any
	switch w.IntN(12) {
	case 10:
		by, in.Ref = w.anybody(), api.Ref{Kind: api.KindManifest, Name: api.Name(pick(w.Rand, worldNames))}
		body = api.Manifest{Version: 1 + w.Uint64N(3), Components: []api.ManifestComponent{{Name: "a", Intent: program.Blob}}}
	case 11:
		by, in.Ref = pick(w.Rand, w.owners), about(api.KindNode, pick(w.Rand, worldNodes))
		body = api.NodeSettings{Drain: w.IntN(2) == 0, Roles: pick(w.Rand, [][]string{nil, {}, {"edge", "lab"}})}
	case 0, 1, 2, 3:
		by, in.Ref, body = w.anybody(), web(pick(w.Rand, worldNames)), api.Component{Module: program, Args: []string{fmt.Sprint(w.IntN(5))}}
		if w.IntN(3) == 0 {
			in.Target.Tags = []string{pick(w.Rand, []string{"edge", "lab"})}
		}
	case 4:
		by, in.Ref = w.anybody(), api.Ref{Kind: pick(w.Rand, []api.Kind{"job", "upgrade"}), Name: api.Name(pick(w.Rand, worldNames))}
		in.Expires, in.Tombstone, body = t0.Add(pick(w.Rand, []time.Duration{-time.Second, time.Hour, 90 * time.Minute})), false, map[string]any{"n": w.IntN(9)}
	case 5:
		in.Ref = about(api.KindGrant, pick(w.Rand, worldGrants))
		body = api.Grant{May: pick(w.Rand, [][]api.Right{{api.RightPush}, {api.RightJob}, api.Rights()}), Prefix: pick(w.Rand, []string{"", "a", "ab", "b"}),
			Tags: pick(w.Rand, [][]string{nil, nil, {"edge"}}), Since: t0.Add(-2*time.Hour + time.Duration(w.IntN(3))*time.Hour), Expires: pick(w.Rand, []time.Time{{}, {}, t0.Add(time.Hour)})}
	case 6:
		in.Ref = about(api.KindInvite, pick(w.Rand, worldInvites))
		body = api.Invite{Roles: pick(w.Rand, [][]string{nil, {"edge"}}), Expires: t0.Add(pick(w.Rand, []time.Duration{-30 * time.Minute, time.Hour})), Uses: w.IntN(2)}
	case 7:
		in.Ref, body = about(api.KindMember, pick(w.Rand, worldNodes)), api.Membership{Roles: pick(w.Rand, [][]string{nil, {"edge"}})}
	default:
		j := sign(w.t, pick(w.Rand, worldInvites), api.Intent{Ref: about(api.KindMember, pick(w.Rand, worldNodes)), Issued: w.at()}, api.Membership{})
		w.all = append(w.all, witnessed(w.t, j, pick(w.Rand, worldNodes), w.at()))
		return
	}
	if in.Tombstone {
		body = nil
	}
	w.all = append(w.all, sign(w.t, by, in, body))
}

func (w *world) rotate() {
	n := len(w.owners)
	if n == len(worldOwners) {
		return
	}
	s := rotation(w.t, w.owners[n-1], worldOwners[n], uint64(n), w.turns[max(0, n-2):]...)
	w.owners = worldOwners[:n+1]
	w.turns, w.all, w.trusts = append(w.turns, s), append(w.all, s), append(w.trusts, s)
}

func (w *world) settle() {
	names := map[api.Ref]bool{}
	for _, s := range w.all {
		if s.Signer == pub(w.owner()) && s.Expires.IsZero() && s.Ref != refSettle && s.Witness == nil {
			names[s.Ref] = true
		}
	}
	s := settle(w.t, w.owner(), 1+w.Uint64N(3), w.IntN(len(names)+1))
	w.all, w.trusts = append(w.all, s), append(w.trusts, s)
}

// replica is a member's set, and what it was made of, in the order in which it came.
type replica struct {
	*Ledger
	t    testing.TB
	came []intent.Signed
}

func (r *replica) add(all []intent.Signed, now time.Time) {
	c, errs := r.AddAll(all, now)
	for i, s := range all {
		older := len(r.slots[s.Slot()]) == Keep && r.slots[s.Slot()][Keep-1].Version().Newer(s.Version())
		if holds(r.Ledger, s) != (errs[i] == nil) && !older {
			r.t.Fatalf("%s number %d is held: %v, error %v", s.Ref, s.Seq, holds(r.Ledger, s), errs[i])
		}
	}
	r.came = append(r.came, c.Added...)
	for _, s := range c.Dropped {
		if holds(r.Ledger, s) {
			r.t.Fatalf("%s number %d was dropped, and is held", s.Ref, s.Seq)
		}
	}
	for _, s := range c.Added {
		if !holds(r.Ledger, s) {
			r.t.Fatalf("%s number %d was added, and is not held", s.Ref, s.Seq)
		}
	}
}

// fetch takes over what r lacks of o, as members do; it reports whether it got anything.
func (r *replica) fetch(o *replica, now time.Time) bool {
	var news []intent.Signed
	for _, e := range o.Entries(r.Differing(o.Digests())) {
		if !r.Wants(e) {
			continue
		}
		env, ok := o.Envelope(e.Digest)
		if !ok {
			r.t.Fatalf("%s is named, and not given", e.Ref)
		}
		news = append(news, read(r.t, env))
	}
	n := len(r.came)
	r.add(news, now)
	return len(r.came) > n
}

// held are the intents of r, in the order in which they came.
func (r *replica) held() (out []intent.Signed) {
	seen := map[api.Digest]bool{}
	for _, s := range r.came {
		if holds(r.Ledger, s) && !seen[s.Digest] {
			seen[s.Digest] = true
			out = append(out, s)
		}
	}
	return out
}

// view is all that follows from a set.
func view(l *Ledger, now time.Time) map[string]any {
	v := map[string]any{"digests": l.Digests(), "members": l.Members(now), "invites": l.Invites(now), "grants": l.Grants(), "owner": l.Owner(), "settled": l.Settled()}
	for _, ref := range l.Refs() {
		cur, ok := l.Current(ref, now)
		seq, prev := l.Next(ref, now)
		v[ref.String()] = fmt.Sprint(ok, cur.Digest, seq, prev)
		for i, h := range l.History(ref, now) {
			v[fmt.Sprint(ref, i)] = fmt.Sprint(h.Digest, h.State, h.Owner)
		}
	}
	for _, k := range worldNodes {
		s, ok := l.NodeSettings(pub(k), now)
		v["settings "+string(name(k))] = fmt.Sprint(s, ok, l.Roles(pub(k), []string{"own"}, now))
	}
	v["needed"], v["until"] = l.References(now)
	for slot, s := range l.Tops(now) {
		v["top "+slot.Key()] = s.Digest
	}
	return v
}

func mustAgree(t testing.TB, what string, a, b map[string]any) {
	t.Helper()
	if reflect.DeepEqual(a, b) {
		return
	}
	for k := range a {
		if !reflect.DeepEqual(a[k], b[k]) {
			t.Errorf("%s: %s\n%v\n%v", what, k, a[k], b[k])
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			t.Errorf("%s: only one knows %s: %v", what, k, b[k])
		}
	}
	t.FailNow()
}

// Replicas that have each seen other parts of a world, in other orders, agree on
// everything once they have compared their sets; and so does each with itself after
// a restart, from what it has kept.
func TestReplicasConverge(t *testing.T) {
	for seed := range uint64(seeds(t)) {
		w := newWorld(t, seed)
		replicas := w.replicas(5)
		for _, r := range replicas {
			verify(t, r.Ledger)
			w.restart(r)
		}
		w.sync(replicas)
		for _, r := range replicas {
			verify(t, r.Ledger)
			w.restart(r)
			for _, later := range []time.Duration{0, 61 * time.Minute, 3 * time.Hour} {
				mustAgree(t, fmt.Sprint("seed ", seed, ", replicas"), view(replicas[0].Ledger, t0.Add(later)), view(r.Ledger, t0.Add(later)))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

var worlds = flag.Int("worlds", 60, "how many random worlds are tried")

func seeds(t testing.TB) int {
	if testing.Short() {
		return min(*worlds, 20)
	}
	return *worlds
}

// replicas are n sets of parts of w.
func (w *world) replicas(n int) []*replica {
	var out []*replica
	for i := range n {
		pin := thePin
		if i == n-1 { // one that begins to follow the realm late
			pin.Owner = pub(pick(w.Rand, w.owners))
		}
		r := &replica{Ledger: New(pin), t: w.t}
		var part []intent.Signed
		for _, s := range w.all {
			if w.IntN(3) > 0 {
				part = append(part, s)
			}
		}
		if w.IntN(2) == 0 {
			part = shuffled(part, w.Shuffle)
		}
		for len(part) > 0 {
			k := 1 + w.IntN(min(len(part), 9))
			r.add(part[:k], t0)
			part = part[k:]
		}
		out = append(out, r)
	}
	for _, r := range out {
		r.add(w.trusts, t0) // everybody hears of rotations in the end
	}
	var last []intent.Signed // and somebody of all that the owner has signed since
	for _, s := range w.all {
		if s.Signer == pub(w.owner()) {
			last = append(last, s)
		}
	}
	out[0].add(last, t0)
	return out
}

// sync compares pairs until there is nothing more to tell.
func (w *world) sync(all []*replica) {
	for range 50 {
		more := false
		for _, r := range shuffled(all, w.Shuffle) {
			for _, o := range shuffled(all, w.Shuffle) {
				more = r.fetch(o, t0) || more
			}
		}
		if !more {
			return
		}
	}
	w.t.Fatal("there is always more to tell")
}

// restart makes r's set again from what it holds.
func (w *world) restart(r *replica) {
	w.t.Helper()
	want := view(r.Ledger, t0)
	follower := trust.Pin{Realm: r.pin.Realm, Owner: r.Owner()} // the pin is written anew after a rotation
	for _, pin := range []trust.Pin{r.pin, follower} {
		for _, held := range [][]intent.Signed{r.held(), shuffled(r.held(), w.Shuffle)} {
			again := New(pin)
			_, errs := again.Restore(held, t0)
			for i, err := range errs {
				if err != nil {
					w.t.Fatalf("restart: %s: %v", held[i].Ref, err)
				}
			}
			mustAgree(w.t, "restart", want, view(again, t0))
			verify(w.t, again)
		}
	}
}
