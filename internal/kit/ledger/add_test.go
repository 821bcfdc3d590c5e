package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

func refs(all []intent.Signed) (out []string) {
	for _, s := range all {
		out = append(out, fmt.Sprint(s.Kind, " ", s.Seq))
	}
	return out
}

// A Change tells what has come and gone, a grant before what came with it, and
// nothing of what did both.
func TestChange(t *testing.T) {
	ci, first, k, a := key(2), key(3), key(4), key(5)
	g := grant(t, owner, ci, 1, api.Grant{})
	i := invite(t, owner, k, 1, api.Invite{})
	l := New(thePin)
	for _, tt := range []struct {
		name           string
		add            []intent.Signed
		added, dropped string
		trust          bool
	}{
		{"a program", []intent.Signed{component(t, owner, "web", 1)}, "component 1", "", false},
		{"again", []intent.Signed{component(t, owner, "web", 1)}, "", "", false},
		{"with its grant", []intent.Signed{with(t, component(t, ci, "ci", 1), g)}, "grant 1, component 1", "", true},
		{"with its grant, again", []intent.Signed{with(t, component(t, ci, "ci", 2), g)}, "component 2", "", false},
		{"grant and revocation", []intent.Signed{component(t, ci, "ci", 3), tombstone(t, owner, about(api.KindGrant, ci), 2)}, "grant 2", "component 1, component 2", true},
		{"of no use", []intent.Signed{component(t, ci, "ci", 4)}, "", "", false},
		{"members", []intent.Signed{admit(t, owner, first, 1), with(t, witnessed(t, join(t, k, a), first, t0), i)}, "member 1, invite 1, member 1", "", true},
		{"their end", []intent.Signed{tombstone(t, owner, about(api.KindMember, first), 2)}, "member 2", "member 1", true},
		{"too many", versions(t, 1, 10), "component 3, component 4, component 5, component 6, component 7, component 8, component 9, component 10", "", false},
		{"one more", versions(t, 11, 11), "component 11", "component 3", false},
	} {
		c, errs := l.AddAll(tt.add, t0)
		slices.SortFunc(c.Dropped, func(a, b intent.Signed) int { return int(a.Seq) - int(b.Seq) })
		added, dropped := strings.Join(refs(c.Added), ", "), strings.Join(refs(c.Dropped), ", ")
		if added != tt.added || dropped != tt.dropped || c.Trust != tt.trust || c.News() != (tt.added != "") {
			t.Errorf("%s: added %q, dropped %q, trust %v; errors %v", tt.name, added, dropped, c.Trust, errs)
		}
		verify(t, l)
	}
}

func versions(t testing.TB, from, to uint64) (out []intent.Signed) {
	for n := from; n <= to; n++ {
		out = append(out, component(t, owner, "many", n))
	}
	return out
}

// The error of an intent says what it is about, and does not hide which it is.
func TestErrorsOfAddAll(t *testing.T) {
	l := New(thePin)
	other := component(t, owner, "web", 1).Intent
	other.Realm = api.NewRealmID(pub(key(9)).Key())
	all := []intent.Signed{component(t, key(9), "web", 7), component(t, owner, "web", 1), sign(t, owner, other, nil)}
	_, errs := l.AddAll(all, t0)
	if !errors.Is(errs[0], ErrUnauthorized) || !strings.HasPrefix(errs[0].Error(), "component/web number 7: ") || errs[1] != nil || !errors.Is(errs[2], ErrRealm) {
		t.Errorf("%v", errs)
	}
	for i, err := range errs {
		if Refused(err) != (i != 1) {
			t.Errorf("%v: refused %v", err, Refused(err))
		}
	}
	if _, errs := l.AddAll(nil, t0); len(errs) != 0 || l.Len() != 1 {
		t.Errorf("nothing: %v, %d held", errs, l.Len())
	}
}

// Check agrees with Add, and adds nothing.
func TestCheck(t *testing.T) {
	w := newWorld(t, 3)
	l := New(thePin)
	for _, s := range w.all {
		before := view(l, t0)
		held, err := l.Check(s, t0)
		mustAgree(t, "looked at", before, view(l, t0))
		if held != holds(l, s) {
			t.Fatalf("%s is held: %v", s.Ref, held)
		}
		if _, added := l.Add(s, t0); fmt.Sprint(added) != fmt.Sprint(err) {
			t.Fatalf("%s: expected %v, got %v", s.Ref, err, added)
		}
	}
}

// What comes with an intent and is no grant for its signer by the owner is neither
// taken nor passed on.
func TestTrim(t *testing.T) {
	ci, first, k := key(2), key(3), key(4)
	g := grant(t, owner, ci, 1, api.Grant{Prefix: "a"})
	newer := grant(t, owner, ci, 2, api.Grant{})
	other := grant(t, owner, key(9), 1, api.Grant{})
	i := invite(t, owner, k, 1, api.Invite{})
	garbage, err := component(t, ci, "aa", 3).WithGrant([]byte("garbage"))
	if err != nil {
		t.Fatal(err)
	}
	j := witnessed(t, join(t, k, key(5)), first, t0)
	l := New(thePin)
	mustAdd(t, l, admit(t, owner, first, 1), newer)
	for _, tt := range []struct {
		name string
		s    intent.Signed
		kept bool
	}{
		{"the owner's", with(t, component(t, owner, "w", 1), newer), false},
		{"the grant", with(t, component(t, ci, "a", 1), newer), true},
		{"the grant before", with(t, component(t, ci, "a", 2), g), false},
		{"another's grant", with(t, component(t, ci, "a", 3), other), false},
		{"garbage", garbage, false},
		{"a grant with a grant", with(t, grant(t, owner, key(7), 1, api.Grant{}), newer), false},
		{"the invite", with(t, j, i), true},
	} {
		c, err := l.Add(tt.s, t0)
		if err != nil || len(c.Added) == 0 {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		s := c.Added[len(c.Added)-1]
		if (s.Grant != nil) != tt.kept || s.Digest != tt.s.Digest {
			t.Errorf("%s: %s came with %q", tt.name, s.Ref, s.Grant)
		}
		verify(t, l)
	}
	if holds(l, g) || holds(l, other) {
		t.Error("a grant that nothing needed was taken")
	}
}

// A grant is tried where it may help, and once: what comes with a grant does not count.
func TestAttachedGrants(t *testing.T) {
	ci := key(2)
	g := grant(t, owner, ci, 1, api.Grant{})
	nested := with(t, component(t, ci, "x", 1), with(t, g, grant(t, owner, ci, 2, api.Grant{})))
	foreign := grant(t, owner, ci, 1, api.Grant{}).Intent
	foreign.Realm = api.NewRealmID(pub(key(9)).Key())
	for name, s := range map[string]intent.Signed{
		"a grant in a grant":   nested,
		"an intent":            with(t, component(t, ci, "x", 1), component(t, owner, "y", 1)),
		"for another key":      with(t, component(t, ci, "x", 1), grant(t, owner, key(3), 1, api.Grant{})),
		"by itself":            with(t, component(t, ci, "x", 1), grant(t, ci, ci, 1, api.Grant{})),
		"of another realm":     with(t, component(t, ci, "x", 1), sign(t, owner, foreign, nil)),
		"the end of a grant":   with(t, component(t, ci, "x", 1), tombstone(t, owner, about(api.KindGrant, ci), 1)),
		"an invite, of no use": with(t, component(t, ci, "x", 1), invite(t, owner, ci, 1, api.Invite{})),
	} {
		l := New(thePin)
		if _, err := l.Add(s, t0); !Refused(err) || holds(l, s) {
			t.Errorf("%s: %v", name, err)
		}
		verify(t, l)
	}
}

// However long a chain of members is, and in whatever order it comes, the batch takes
// about as long: nobody makes a member work by turning it around.
func TestChainBackwards(t *testing.T) {
	const n = 500
	k := key(2)
	chain := []intent.Signed{admit(t, owner, key(10_000), 1), invite(t, owner, k, 1, api.Invite{})}
	for i := range n {
		chain = append(chain, witnessed(t, join(t, k, key(10_001+i)), key(10_000+i), t0))
	}
	took := func(all []intent.Signed) time.Duration {
		l, start := New(thePin), time.Now()
		_, errs := l.AddAll(all, t0)
		if err := errors.Join(errs...); err != nil || len(l.Members(t0)) != n+1 {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	forwards := took(chain)
	slices.Reverse(chain)
	backwards := took(chain)
	rand.Shuffle(len(chain), func(i, j int) { chain[i], chain[j] = chain[j], chain[i] })
	t.Logf("%d joins: %v, backwards %v, shuffled %v", n, forwards, backwards, took(chain))
	if backwards > 20*forwards+time.Second {
		t.Errorf("backwards %v, forwards %v", backwards, forwards)
	}
}

// Restore takes back what this node held of retired keys, and Add does not.
func TestRestore(t *testing.T) {
	second, third := key(2), key(3)
	turn := rotation(t, owner, second, 1)
	next := rotation(t, second, third, 2, turn)
	old := []intent.Signed{component(t, owner, "a", 1), grant(t, owner, key(4), 1, api.Grant{}), admit(t, owner, key(5), 1)}
	held := append(slices.Clone(old), turn, component(t, key(4), "b", 1), component(t, second, "c", 1))
	for _, pin := range []trust.Pin{thePin, {Realm: thePin.Realm, Owner: pub(second)}} {
		l := New(pin)
		if _, errs := l.AddAll(held, t0); !errors.Is(errs[0], ErrRevoked) || !errors.Is(errs[4], ErrUnauthorized) || errs[5] != nil {
			t.Errorf("added: %v", errs)
		}
		l = New(pin)
		if _, errs := l.Restore(held, t0); errors.Join(errs...) != nil || l.Len() != 3 {
			t.Errorf("restored: %v, %d passed on", errs, l.Len())
		}
		verify(t, l)
		// Whoever is settled takes nothing of them any more.
		mustAdd(t, l, settle(t, second, 1, 1))
		if _, errs := l.Restore(held, t0); !errors.Is(errs[0], ErrRevoked) || holds(l, old[0]) {
			t.Errorf("restored once more: %v", errs)
		}
		// Settled by a key that was replaced since: what was before it stays void.
		mustAdd(t, l, next)
		again := New(pin)
		if _, errs := again.Restore(append(shuffled(held, rand.Shuffle), next, settle(t, second, 1, 1)), t0); holds(again, old[0]) {
			t.Errorf("a void intent came back: %v", errs)
		}
		mustAgree(t, "restored after two rotations", view(l, t0), view(again, t0))
	}
}

func TestBecome(t *testing.T) {
	a, b := New(thePin), New(thePin)
	mustAdd(t, a, component(t, owner, "a", 1))
	mustAdd(t, b, component(t, owner, "b", 1), grant(t, owner, key(2), 1, api.Grant{}), rotation(t, owner, key(3), 1))
	want := view(b, t0)
	a.Become(b)
	mustAgree(t, "became", want, view(a, t0))
	verify(t, a)
	mustAdd(t, a, component(t, key(3), "c", 1))
}

func TestManyGoroutines(t *testing.T) {
	w := newWorld(t, 1)
	l := New(thePin)
	var g errgroup.Group
	for i := range 4 {
		g.Go(func() error {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for _, s := range shuffled(w.all, r.Shuffle) {
				_, _ = l.Add(s, t0) // most are refused
				_, _ = l.Check(s, t0)
				_ = l.Fresh(s, t0)
				l.Judge(s.Signer, nil, t0)
				l.Current(s.Ref, t0)
				l.Members(t0)
				l.Proof(s.Signer, t0)
				l.Entries(l.Differing(api.SyncDigests{Buckets: make([]api.Digest, api.SyncBuckets)}))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}
