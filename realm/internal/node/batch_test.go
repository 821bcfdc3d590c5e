package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func component(i int) api.Ref {
	return api.Ref{Kind: api.KindComponent, Name: api.Name(fmt.Sprintf("c%03d", i))}
}

var shopRef = api.Ref{Kind: api.KindManifest, Name: "shop"}

// together changes n components, and what lists them.
func together(n, size int) node.Together {
	var acts []owner.Act
	for i := range n {
		body := &api.Component{Module: api.Program{Blob: api.Sum([]byte{byte(i)}), Size: 1}, Args: []string{strings.Repeat("x", size)}}
		acts = append(acts, owner.Act{Ref: component(i), Change: owner.Set(api.Target{}, body)})
	}
	return node.Together{Acts: acts, Last: func(signed []intent.Signed) owner.Act {
		m := api.Manifest{Version: 1, Components: []api.ManifestComponent{}}
		for _, s := range signed {
			m.Components = append(m.Components, api.ManifestComponent{Name: s.Name, Intent: s.Digest})
		}
		return owner.Act{Ref: shopRef, Change: owner.Say(&m)}
	}}
}

// batch begins a change of n components.
func (s *stand) batch(n, size int, force bool) *node.Batch {
	s.t.Helper()
	again := func(ctx context.Context) (*node.Survey, error) {
		return s.node.Survey(ctx, s.meshd.Pin, []api.Kind{api.KindComponent, api.KindManifest}, func(func(api.Ref) *intent.Signed, []api.Ref) []api.Ref {
			refs := []api.Ref{shopRef}
			for i := range n {
				refs = append(refs, component(i))
			}
			return refs
		})
	}
	seen, err := again(nodetest.Context(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := s.node.BeginAll(s.meshd.Pin, s.owner, seen, again, together(n, size), force)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// As many as a manifest may have, each of some size, go in several messages.
func TestBatch(t *testing.T) {
	s := newStand(t)
	for round := range uint64(2) {
		signed, err := s.batch(api.MaxComponents, 500, false).Submit(nodetest.Context(t))
		if err != nil || len(signed) != api.MaxComponents+1 || signed[0].Seq != round+1 {
			t.Fatalf("%d signed, %v", len(signed), err)
		}
		last := signed[len(signed)-1]
		cur, ok := s.meshd.Ledger().Current(shopRef, time.Now())
		if !ok || cur.Digest != last.Digest || cur.Seq != round+1 {
			t.Fatalf("the manifest is at number %d", cur.Seq)
		}
		for _, in := range signed {
			if _, held := s.meshd.Ledger().Held(in.Digest); !held {
				t.Errorf("%s is not held", in.Ref)
			}
		}
	}
}

// slipIn has somebody else push one of the components.
func (s *stand) slipIn(r api.Ref) {
	s.t.Helper()
	in, err := s.owner.Act(s.meshd.Ledger(), owner.Act{Ref: r, Change: push}, time.Now(), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	s.meshd.Take(in)
}

func TestStaleBatch(t *testing.T) {
	for name, slip := range map[string]func(*stand){
		"before it signs": func(s *stand) { s.slipIn(component(1)) },
		"while it signs":  func(s *stand) { s.meshd.Before = func() { s.slipIn(component(1)) } },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			b := s.batch(3, 1, false)
			slip(s)
			_, err := b.Submit(nodetest.Context(t))
			var stale *node.StaleError
			if !errors.As(err, &stale) || stale.Ref != component(1) || len(stale.News) != 1 {
				t.Fatalf("got %v", err)
			}
			for _, want := range []string{"component/c001 has changed since this command began", "number 1, signed by owner", "Nothing was signed."} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %v", want, err)
				}
			}
			if refs := s.meshd.Ledger().Refs(); len(refs) != 1 {
				t.Errorf("held: %v", refs)
			}
			b = s.batch(3, 1, true)
			slip(s)
			signed, err := b.Submit(nodetest.Context(t))
			if err != nil || signed[1].Seq != 3 || signed[0].Seq != 1 {
				t.Fatalf("forced: %v", err)
			}
		})
	}
}

// Many are stale: a person is told of some.
func TestManyStale(t *testing.T) {
	s := newStand(t)
	b := s.batch(8, 1, false)
	for i := range 8 {
		s.slipIn(component(i))
	}
	_, err := b.Submit(nodetest.Context(t))
	if err == nil || !strings.Contains(err.Error(), "component/c004 has changed") || strings.Contains(err.Error(), "c005") || !strings.Contains(err.Error(), "and 3 more") {
		t.Errorf("got %v", err)
	}
}

// The first message gets through, and somebody slips in before the second.
func TestStaleInTheMiddle(t *testing.T) {
	for _, force := range []bool{false, true} {
		s := newStand(t)
		b := s.batch(api.MaxComponents, 1, force)
		late := component(api.MaxComponents - 1)
		once := true
		s.meshd.After = func(intent.Signed) {
			if once {
				once = false
				s.slipIn(late)
			}
		}
		signed, err := b.Submit(nodetest.Context(t))
		if force {
			if err != nil || signed[len(signed)-1].Ref != shopRef {
				t.Errorf("forced: %v", err)
			}
			continue
		}
		var stale *node.StaleError
		if !errors.As(err, &stale) || stale.Ref != late || !strings.Contains(err.Error(), fmt.Sprintf("%d versions were accepted before that", api.MaxSubmitBatch)) {
			t.Errorf("got %v", err)
		}
	}
}

// A refusal for another reason is told as it is, and an answer that is lost is none.
func TestBatchRefused(t *testing.T) {
	s := newStand(t)
	s.meshd.Refuse = func(in intent.Signed) error {
		if in.Ref == component(2) {
			return errors.New("no room")
		}
		return nil
	}
	if _, err := s.batch(3, 1, true).Submit(nodetest.Context(t)); err == nil || !strings.Contains(err.Error(), "no room") || node.Stale(err) {
		t.Errorf("got %v", err)
	}
	if refs := s.meshd.Ledger().Refs(); len(refs) != 0 {
		t.Errorf("held: %v", refs)
	}
	s.meshd.Refuse = nil
	s.meshd.Lose = func(in intent.Signed) bool { return in.Ref == shopRef }
	if _, err := s.batch(3, 1, false).Submit(nodetest.Context(t)); err != nil {
		t.Errorf("the answer was lost: %v", err)
	}
}

// A granted key signs what its grant allows, all of it or nothing.
func TestGrantedBatch(t *testing.T) {
	s := newStand(t)
	again := func(ctx context.Context) (*node.Survey, error) {
		return s.node.Survey(ctx, s.meshd.Pin, []api.Kind{api.KindComponent, api.KindManifest}, func(func(api.Ref) *intent.Signed, []api.Ref) []api.Ref {
			return []api.Ref{shopRef, component(0), component(1)}
		})
	}
	for _, prefix := range []string{"c", ""} { // shop is no name that begins with c
		is := map[string]error{"c": owner.ErrRights}[prefix]
		ci := s.grant(api.Grant{May: []api.Right{api.RightPush}, Prefix: prefix})
		seen, err := again(nodetest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.node.BeginAll(s.meshd.Pin, ci, seen, again, together(2, 1), false)
		if !errors.Is(err, is) {
			t.Errorf("%q: %v", prefix, err)
		}
		if err == nil {
			if _, err := b.Submit(nodetest.Context(t)); err != nil {
				t.Errorf("%q: %v", prefix, err)
			}
		}
	}
}

// What somebody else has removed meanwhile need not be removed again.
func TestForcedRemoval(t *testing.T) {
	s := newStand(t)
	if _, err := s.batch(2, 1, false).Submit(nodetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	again := func(ctx context.Context) (*node.Survey, error) {
		return s.node.Survey(ctx, s.meshd.Pin, []api.Kind{api.KindComponent, api.KindManifest}, func(func(api.Ref) *intent.Signed, []api.Ref) []api.Ref {
			return []api.Ref{shopRef, component(0), component(1)}
		})
	}
	seen, err := again(nodetest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	change := node.Together{Acts: []owner.Act{{Ref: component(0), Change: owner.Remove()}, {Ref: component(1), Change: owner.Remove()}}, Last: together(0, 0).Last}
	b, err := s.node.BeginAll(s.meshd.Pin, s.owner, seen, again, change, true)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.owner.Act(s.meshd.Ledger(), owner.Act{Ref: component(1), Change: owner.Remove()}, time.Now(), time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	s.meshd.Take(in)
	signed, err := b.Submit(nodetest.Context(t))
	if err != nil || len(signed) != 2 || signed[0].Ref != component(0) || signed[1].Ref != shopRef {
		t.Errorf("%d signed, %v", len(signed), err)
	}
}
