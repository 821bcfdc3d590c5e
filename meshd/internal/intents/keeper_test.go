package intents

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func TestSubmitKeepsTheOrder(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	one := w.component(t, "web", 1, api.Digest{})
	two := w.component(t, "web", 2, one.Digest)
	other := w.component(t, "web", 2, api.Sum([]byte("another")))
	for _, c := range []struct {
		name string
		s    intent.Signed
		news bool
		err  error
	}{
		{"number 2 first", two, false, ErrOvertaken},
		{"number 1", one, true, nil},
		{"the same again", one, false, nil},
		{"after something else", other, false, ErrOvertaken},
		{"number 2", two, true, nil},
		{"number 1 again", one, false, ErrOvertaken},
		{"a second number 2", w.component(t, "web", 2, two.Digest), false, ErrOvertaken},
		{"number 4", w.component(t, "web", 4, two.Digest), false, ErrOvertaken},
	} {
		s, news, err := k.Submit(t.Context(), c.s.Envelope)
		if news != c.news || !errors.Is(err, c.err) || err == nil && s.Digest != c.s.Digest {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, news, err, c.news, c.err)
		}
		if err != nil && !strings.Contains(err.Error(), "realm history web") {
			t.Errorf("%s: %v does not say what to do", c.name, err)
		}
	}
	// What is about keys is signed by a person who may not see all of it.
	for _, seq := range []uint64{4, 2} {
		in := api.Intent{Ref: api.Ref{Kind: api.KindGrant, Name: meshtest.Name(meshtest.Key(t))}, Seq: seq}
		g := w.Sign(t, w.Key, in, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})
		if _, news, err := k.Submit(t.Context(), g.Envelope); err != nil || !news {
			t.Errorf("a grant with number %d: %v, %v", seq, news, err)
		}
	}
}

// TestManySubmitAtOnce: of all who sign the same number one wins, and the others know.
func TestManySubmitAtOnce(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	const writers = 16
	var all []intent.Signed
	for i := range writers {
		all = append(all, w.Sign(t, w.Key, api.Intent{Ref: meshtest.Ref("web"), Seq: 1},
			api.Component{Module: api.Program{Blob: api.Sum([]byte{byte(i)}), Size: 7}}))
	}
	var won sync.Map
	var callers sync.WaitGroup
	for _, s := range all {
		callers.Go(func() {
			switch _, news, err := k.Submit(context.Background(), s.Envelope); {
			case err == nil && news:
				won.Store(s.Digest, true)
			case !errors.Is(err, ErrOvertaken):
				t.Error(err)
			}
		})
	}
	callers.Wait()
	winners := 0
	won.Range(func(any, any) bool { winners++; return true })
	if winners != 1 || k.Ledger().Len() != 1 {
		t.Errorf("%d have won, %d are held; want 1", winners, k.Ledger().Len())
	}
}

func TestSubmitRefuses(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	k := w.open(t)
	key := meshtest.Key(t)
	granted := w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Prefix: "ci-", Since: time.Now()})
	ended := meshtest.Key(t)
	endedGrant := w.Grant(t, ended, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now().Add(-2 * time.Hour), Expires: time.Now().Add(-time.Hour)})
	with := func(s intent.Signed, grant intent.Signed) []byte {
		s, err := s.WithGrant(grant.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		return s.Envelope
	}
	backdated := w.Sign(t, ended, api.Intent{Ref: meshtest.Ref("old"), Seq: 1, Issued: time.Now().Add(-90 * time.Minute)},
		api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 7}})
	tampered := []byte(strings.Replace(string(w.component(t, "a", 1, api.Digest{}).Envelope), `"payload":"ey`, `"payload":"eY`, 1))
	for name, c := range map[string]struct {
		envelope []byte
		want     error // nil: any
	}{
		"nothing":                     {nil, nil},
		"tampered":                    {tampered, intent.ErrSignature},
		"of another realm":            {other.component(t, "a", 1, api.Digest{}).Envelope, ledger.ErrRealm},
		"of a stranger":               {w.ComponentBy(t, meshtest.Key(t), "a", 1).Envelope, ledger.ErrUnauthorized},
		"outside its prefix":          {with(w.ComponentBy(t, key, "web", 1), granted), ledger.ErrForbidden},
		"under an ended grant":        {with(w.ComponentBy(t, ended, "new", 1), endedGrant), ledger.ErrExpired},
		"backdated to a good grant":   {with(backdated, endedGrant), ledger.ErrExpired},
		"of a kind that is not known": {w.command(t, time.Now().Add(time.Hour)).Envelope, nil},
	} {
		if _, _, err := k.Submit(t.Context(), c.envelope); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
	if _, news, err := k.Submit(t.Context(), with(w.ComponentBy(t, key, "ci-web", 1), granted)); err != nil || !news {
		t.Errorf("under a grant that comes with it: %v, %v", news, err)
	}
	if !holds(k, granted) {
		t.Error("the grant is not held")
	}
}

func TestLook(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	k := w.open(t)
	key := meshtest.Key(t)
	granted := w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Prefix: "ci-", Since: time.Now()})
	known := w.component(t, "web", 10, api.Sum(nil))
	accept(t, k, known)
	for seq := range uint64(ledger.Keep) {
		accept(t, k, w.component(t, "web", 11+seq, api.Sum(nil)))
	}
	good, err := w.ComponentBy(t, key, "ci-web", 1).WithGrant(granted.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    intent.Signed
		want error
	}{
		{"news", w.component(t, "new", 1, api.Digest{}), nil},
		{"known", w.component(t, "web", 18, api.Sum(nil)), ErrKnown},
		{"overtaken long ago", known, ledger.ErrOlder},
		{"by an unknown key", w.ComponentBy(t, key, "ci-web", 1), ledger.ErrUnauthorized},
		{"with its grant", good, nil},
		{"by a known key", w.ComponentBy(t, key, "ci-web", 1), nil},
		{"outside its prefix", w.ComponentBy(t, key, "web", 1), ledger.ErrForbidden},
		{"of another realm", other.component(t, "a", 1, api.Digest{}), ledger.ErrRealm},
	} {
		if _, err := k.Look(c.s.Envelope); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v; want %v", c.name, err, c.want)
		}
	}
	if holds(k, good) || !holds(k, granted) {
		t.Error("looking takes the grant, and nothing else")
	}
}

// TestBatches has callers offer everything, in any order, at the same time.
func TestBatches(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	key := meshtest.Key(t)
	all := []intent.Signed{w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})}
	for i := range 60 {
		all = append(all, w.ComponentBy(t, key, fmt.Sprint("a", i%10), uint64(i/10+1)))
	}
	var callers sync.WaitGroup
	for c := range 8 {
		callers.Go(func() {
			for i := range all {
				k.Accept([]intent.Signed{all[(i*7+c*11)%len(all)]}, ByGossip)
			}
			k.Accept(all, BySync)
		})
	}
	callers.Wait()
	want := ledger.New(w.Pin)
	want.AddAll(all, time.Now())
	sameSet(t, k.Ledger(), want)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	sameSet(t, w.open(t).Ledger(), want)
	added := 0
	for _, c := range w.changes {
		added += len(c.Added)
	}
	if added != len(all) {
		t.Errorf("%d additions were told, of %d", added, len(all))
	}
}

func TestFullDiskRefuses(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	one := w.component(t, "web", 1, api.Digest{})
	w.setFull(fmt.Errorf("%w: no room", disk.ErrFull))
	if _, _, err := k.Submit(t.Context(), one.Envelope); !errors.Is(err, disk.ErrFull) {
		t.Errorf("Submit on a full disk = %v", err)
	}
	if _, errs := k.Accept([]intent.Signed{one, w.component(t, "b", 1, api.Digest{})}, BySync); !errors.Is(errs[0], disk.ErrFull) || !errors.Is(errs[1], disk.ErrFull) {
		t.Errorf("Accept on a full disk = %v", errs)
	}
	if k.Ledger().Len() != 0 || len(w.changes) != 0 {
		t.Errorf("%d intents are held, %d changes were told", k.Ledger().Len(), len(w.changes))
	}
	w.setFull(nil)
	if _, news, err := k.Submit(t.Context(), one.Envelope); err != nil || !news {
		t.Errorf("with room again: %v, %v", news, err)
	}
}

// TestFailureIsUndone breaks the log under additions that reach far: grants, and a
// new owner.
func TestFailureIsUndone(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	key := meshtest.Key(t)
	granted := w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})
	kept := w.ComponentBy(t, key, "web", 1)
	accept(t, k, granted, kept)
	owner := w.Pin.Owner
	before := k.Ledger().Digests()

	good := k.journal.file
	if err := good.Close(); err != nil {
		t.Fatal(err)
	}
	revoked, rotated := w.Revoke(t, api.KindGrant, key), w.Rotate(t)
	if _, errs := k.Accept([]intent.Signed{revoked, rotated, kept}, BySync); errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("Accept with a broken log = %v", errs)
	}
	after := k.Ledger().Digests()
	if k.Ledger().Owner() != owner || !holds(k, kept) || holds(k, revoked) || after.Count != before.Count {
		t.Errorf("after the failure the owner is %s, %d intents are held", k.Ledger().Owner(), after.Count)
	}
	j, err := openJournal(w.path, k.journal.size)
	if err != nil {
		t.Fatal(err)
	}
	k.journal = j
	accept(t, k, revoked)
	accept(t, k, rotated)
	if holds(k, kept) || k.Ledger().Owner() != w.Pin.Owner {
		t.Error("the revocation or the rotation has not come after all")
	}
}
