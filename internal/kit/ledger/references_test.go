package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// uses is a component with a program of this size.
func uses(t testing.TB, n string, seq uint64, blob string, size int64) intent.Signed {
	t.Helper()
	return sign(t, owner, api.Intent{Ref: web(n), Seq: seq}, api.Component{Module: api.Program{Blob: api.Sum([]byte(blob)), Size: size}})
}

// What comes first in the list, and that its references are good, is for who streams it.
func TestReferencesAreInOrder(t *testing.T) {
	l := New(thePin)
	for i, blob := range []string{"x", "y", "x", "z", "y", "x"} {
		mustAdd(t, l, uses(t, "b", uint64(i+1), blob, 7), uses(t, "a", uint64(i+1), blob, 7))
	}
	mustAdd(t, l, sign(t, owner, api.Intent{Ref: api.Ref{Kind: api.KindPin, Name: "a"}}, api.Pin{BlobInfo: api.BlobInfo{SHA256: api.Sum([]byte("x")), Size: 7}}))
	all, until := l.References(t0)
	if len(all) != 13 || !until.IsZero() {
		t.Fatalf("%d references, until %s", len(all), until)
	}
	if !slices.IsSortedFunc(all, func(a, b api.Reference) int {
		return cmp.Or(a.Blob.Compare(b.Blob), cmp.Compare(a.String(), b.String()), cmp.Compare(b.Seq, a.Seq))
	}) {
		t.Errorf("%+v", all)
	}
	for _, r := range all {
		if err := r.Validate(); err != nil || r.Size != 7 {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// A program that a newer version of Realm describes in more words is kept; what names
// no blob at all does no harm.
func TestReferencesOfNewerVersions(t *testing.T) {
	blob, l := api.Sum([]byte("x")), New(thePin)
	raw := func(kind api.Kind, n string, body map[string]any) intent.Signed {
		return sign(t, owner, api.Intent{Ref: api.Ref{Kind: kind, Name: api.Name(n)}}, body)
	}
	mustAdd(t, l,
		raw(api.KindComponent, "more", map[string]any{"program": map[string]any{"blob": blob, "size": 5, "engine": "next"}, "gpu": 1}),
		raw(api.KindPin, "more", map[string]any{"sha256": blob, "size": 5, "copies": 7}),
		raw(api.KindComponent, "none", map[string]any{"image": "elsewhere"}),
		raw(api.KindComponent, "odd", map[string]any{"program": "elsewhere"}),
		raw(api.KindComponent, "negative", map[string]any{"program": map[string]any{"blob": blob, "size": -5}}),
		raw(api.KindPin, "huge", map[string]any{"sha256": blob, "size": api.MaxBlob + 1}))
	all, _ := l.References(t0)
	if len(all) != 2 || all[0].Kind != api.KindComponent || all[1].Kind != api.KindPin || all[0].Name != "more" || all[1].Name != "more" || all[1].Blob != blob || all[1].Size != 5 {
		t.Errorf("%+v", all)
	}
}

// What is early counts from one moment on, at which the list has to be made anew.
func TestReferencesUntil(t *testing.T) {
	l := New(thePin)
	late := func(n string, seq uint64, by time.Duration) intent.Signed {
		return sign(t, owner, api.Intent{Ref: web(n), Seq: seq, Issued: t0.Add(by)}, api.Component{Module: program})
	}
	mustAdd(t, l, late("a", 1, 3*time.Hour), late("b", 1, 2*time.Hour), late("b", 2, 4*time.Hour), late("c", 1, time.Minute))
	now := t0
	for i, by := range []time.Duration{2 * time.Hour, 3 * time.Hour, 4 * time.Hour} {
		all, until := l.References(now)
		if want := t0.Add(by - MaxAhead); !until.Equal(want) || len(all) != i+1 && len(all) != i+2 {
			t.Errorf("until %s, want %s: %+v", until, want, all)
		}
		before, _ := l.References(until.Add(-1))
		if after, _ := l.References(until); slices.Equal(before, after) {
			t.Errorf("nothing changes at %s", until)
		}
		now = until
	}
	if _, until := l.References(now); !until.IsZero() {
		t.Errorf("until %s, although nothing is early any more", until)
	}
}

// Whatever changes the list changes the revision.
func TestRevision(t *testing.T) {
	l := New(thePin)
	var last uint64
	changed := func(when string, want bool) {
		t.Helper()
		if now := l.Revision(); now != last != want {
			t.Errorf("%s: from %d to %d", when, last, now)
		}
		last = l.Revision()
	}
	first := uses(t, "a", 1, "x", 1)
	mustAdd(t, l, first)
	changed("added", true)
	mustAdd(t, l, first)
	l.References(t0)
	changed("added again", false)
	c := l.Clone()
	mustAdd(t, c, uses(t, "a", 2, "y", 1))
	changed("a copy has more", false)
	l.Become(c)
	changed("become the copy", true)
	l.Become(New(thePin))
	changed("become empty", true)
	mustAdd(t, l, grant(t, owner, key(2), 1, api.Grant{}), sign(t, key(2), api.Intent{Ref: web("b")}, api.Component{Module: program}))
	changed("granted", true)
	mustAdd(t, l, tombstone(t, owner, about(api.KindGrant, key(2)), 2))
	changed("revoked", true)
}

// 10,000 programs with five versions each.
func BenchmarkReferences(b *testing.B) {
	const versions = api.KeptVersions
	l := New(thePin)
	l.mu.Lock()
	for i := range many {
		model := component(b, owner, "x", 1)
		for v := range versions {
			s := like(model, fmt.Sprintf("n%06d", i), uint64(v+1))
			s.Body = fmt.Appendf(nil, `{"program":{"blob":"%s","size":7,"limits":{}},"args":["-v"],"replicas":3}`, api.Sum(fmt.Append(nil, i, v)))
			l.insert(s)
		}
	}
	l.events = nil
	l.mu.Unlock()
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			clear(l.bodies)
			b.StartTimer()
			l.References(t0)
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if all, _ := l.References(t0); len(all) != many*versions {
				b.Fatal(len(all))
			}
		}
	})
	b.Run("revision", func(b *testing.B) {
		for b.Loop() {
			l.Revision()
		}
	})
}
