package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// The joins of a member that has an invite's key and abuses it. Who is let in does not
// need to exist.
func joins(t testing.TB, n int) (out []intent.Signed) {
	out = []intent.Signed{admit(t, owner, key(3), 1), invite(t, owner, key(2), 1, api.Invite{Uses: 1})}
	for i := range n {
		out = append(out, witnessed(t, join(t, key(2), key(1000+i)), key(3), t0))
	}
	return out
}

// An invite for one node lets some more in, since members do not all hear of each
// other at once, and no more than that; all sets agree on which.
func TestShareOfAnInvite(t *testing.T) {
	all := joins(t, 110)
	var first map[string]any
	for i := range 5 {
		l := New(thePin)
		for _, s := range append(all[:2:2], shuffled(all[2:], rand.Shuffle)...) {
			if _, err := l.Add(s, t0); err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
		}
		verify(t, l)
		if n := len(l.Members(t0)); n != 1+1+MaxOveruse || l.Invites(t0)[0].Used != 1+MaxOveruse {
			t.Errorf("%d members", n)
		}
		if i == 0 {
			first = view(l, t0)
		}
		mustAgree(t, "in another order", first, view(l, t0))
	}
	a, b := &replica{Ledger: New(thePin), t: t}, &replica{Ledger: New(thePin), t: t}
	_, _ = a.AddAll(all[:70], t0)
	_, _ = b.AddAll(append(all[:2:2], all[50:]...), t0)
	for a.fetchAny(b) || b.fetchAny(a) {
	}
	mustAgree(t, "from two halves", first, view(a.Ledger, t0))
	mustAgree(t, "from two halves", first, view(b.Ledger, t0))
}

// like is s about another name, as if that had been signed: signing many takes long.
func like(s intent.Signed, name string, seq uint64) intent.Signed {
	s.Name, s.Seq = api.Name(name), seq
	s.Digest = api.Sum(fmt.Append(nil, name, seq))
	return s
}

// fetchAny is fetch where some of what is fetched may have no room.
func (r *replica) fetchAny(o *replica) bool {
	var news []intent.Signed
	for _, e := range o.Entries(r.Differing(o.Digests())) {
		if env, ok := o.Envelope(e.Digest); ok && r.Wants(e) {
			news = append(news, read(r.t, env))
		}
	}
	c, _ := r.AddAll(news, t0)
	return c.News()
}

// Older versions go first, then names from the end of the alphabet; all sets agree on
// which.
func TestShareByBytes(t *testing.T) {
	ci := key(2)
	l := New(thePin)
	mustAdd(t, l, grant(t, owner, ci, 1, api.Grant{}))
	model := sign(t, ci, api.Intent{Ref: web("x"), Seq: 2}, api.Component{Module: program, Args: []string{strings.Repeat("x", 30<<10)}})
	large := func(name string, seq uint64) intent.Signed { return like(model, name, seq) }
	size := len(large("n0000", 2).Envelope)
	fit := MaxGrantBytes / size
	var all []intent.Signed
	for i := range fit - 1 {
		all = append(all, large(fmt.Sprintf("n%04d", i), 2))
	}
	if _, errs := l.AddAll(all, t0); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
	older := []intent.Signed{large("n0000", 1), large("n0001", 1), large("n0002", 1)}
	_, _ = l.AddAll(older, t0)
	if !holds(l, older[0]) || holds(l, older[1]) || holds(l, older[2]) {
		t.Error("of three older versions, one fits")
	}
	if err := l.Fresh(large("n0000", 3), t0); err != nil {
		t.Errorf("a newer version of what is there: %v", err)
	}
	a := large("a", 1)
	mustFresh := l.Fresh(a, t0)
	c, err := l.Add(a, t0)
	if mustFresh != nil || err != nil || len(c.Dropped) != 1 || c.Dropped[0].Digest != older[0].Digest {
		t.Errorf("another name: %v, %v, dropped %v", mustFresh, err, refs(c.Dropped))
	}
	if err := l.Fresh(large("b", 1), t0); !errors.Is(err, ErrFull) {
		t.Errorf("one name too many, made just now: %v", err)
	}
	c, err = l.Add(large("b", 1), t0)
	if err != nil || len(c.Dropped) != 1 || c.Dropped[0].Name != all[len(all)-1].Name {
		t.Errorf("one name too many, from a member that has it: %v, dropped %v", err, c.Dropped)
	}
	if _, err := l.Add(large("z", 1), t0); !errors.Is(err, ErrFull) {
		t.Errorf("the last name of all: %v", err)
	}
	if err := l.Fresh(component(t, owner, "owner", 1), t0); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if _, err := l.Add(component(t, owner, "owner", 1), t0); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

// A granted key has a number of names.
func TestShareByNames(t *testing.T) {
	ci := key(2)
	l := New(thePin)
	mustAdd(t, l, grant(t, owner, ci, 1, api.Grant{}))
	l.mu.Lock()
	model := component(t, ci, "x", 1)
	for i := range MaxPerGrant {
		l.insert(like(model, fmt.Sprintf("n%05d", i), 1))
	}
	l.events = nil
	l.mu.Unlock()
	if err := l.Fresh(component(t, ci, "n00000", 2), t0); err != nil {
		t.Errorf("a version of a name that is there: %v", err)
	}
	if err := l.Fresh(component(t, ci, "a", 1), t0); !errors.Is(err, ErrFull) {
		t.Errorf("a new name: %v", err)
	}
	if _, err := l.Add(component(t, ci, "z", 1), t0); !errors.Is(err, ErrFull) {
		t.Errorf("a new name, from a member that has it: %v", err)
	}
	c, err := l.Add(component(t, ci, "n00000", 2), t0)
	if err != nil || len(c.Dropped) != 1 || c.Dropped[0].Name != "n00000" {
		t.Errorf("a new version: %v, dropped %v", err, refs(c.Dropped))
	}
}

// When the set is full for others, the owner can still speak.
func TestRoomForTheOwner(t *testing.T) {
	ci := key(2)
	l := New(thePin)
	mustAdd(t, l, grant(t, owner, ci, 1, api.Grant{}))
	l.mu.Lock()
	for i := range maxOthers {
		l.byDigest[api.Sum(fmt.Append(nil, i))] = intent.Signed{}
	}
	l.mu.Unlock()
	if _, err := l.Add(component(t, ci, "a", 1), t0); !errors.Is(err, ErrFull) {
		t.Errorf("a granted key: %v", err)
	}
	if _, err := l.Add(component(t, owner, "a", 1), t0); err != nil {
		t.Errorf("the owner: %v", err)
	}
	l.mu.Lock()
	for i := maxOthers; i < api.MaxSync; i++ {
		l.byDigest[api.Sum(fmt.Append(nil, i))] = intent.Signed{}
	}
	l.mu.Unlock()
	if _, err := l.Add(component(t, owner, "b", 1), t0); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "remove programs") {
		t.Errorf("the owner of a full set: %v", err)
	}
	if _, err := l.Add(job(t, "build-1", 1, api.Digest{}, nil), t0); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "realm job rm") || strings.Contains(err.Error(), "programs") {
		t.Errorf("a job in a full set: %v", err)
	}
}

func TestFresh(t *testing.T) {
	ci := key(2)
	short := grant(t, owner, ci, 1, api.Grant{Since: t0.Add(-2), Expires: t0.Add(-1)})
	long := grant(t, owner, ci, 2, api.Grant{})
	forged := grant(t, ci, ci, 3, api.Grant{})
	s := component(t, ci, "a", 1)
	known, unknown := New(thePin), New(thePin)
	mustAdd(t, known, short)
	for _, tt := range []struct {
		name string
		l    *Ledger
		s    intent.Signed
		want error
	}{
		{"the owner's", known, component(t, owner, "a", 1), nil},
		{"about keys", known, grant(t, ci, ci, 1, api.Grant{}), nil},
		{"a stranger's, which Add refuses", known, component(t, key(9), "a", 1), nil},
		{"under a grant that has ended", known, s, ErrExpired},
		{"with a grant that has ended", unknown, with(t, s, short), ErrExpired},
		{"with a longer one", unknown, with(t, s, long), nil},
		{"with a longer one than is known", known, with(t, s, long), nil},
		{"with a longer one of its own making", known, with(t, s, forged), ErrExpired},
		{"with an older one", known, with(t, s, short), ErrExpired},
		{"with another's", known, with(t, s, grant(t, owner, key(3), 1, api.Grant{})), ErrExpired},
	} {
		if err := tt.l.Fresh(tt.s, t0); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
