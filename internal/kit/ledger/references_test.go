package ledger

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
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

// TestReferencesOfMounts: a version needs its program and the files of its mounts; another
// set of files is another version to go back to.
func TestReferencesOfMounts(t *testing.T) {
	l := New(thePin)
	blob := func(s string) *api.BlobInfo { return &api.BlobInfo{SHA256: api.Sum([]byte(s)), Size: 7} }
	version := func(seq uint64, files string) intent.Signed {
		return sign(t, owner, api.Intent{Ref: web("a"), Seq: seq}, api.Component{Module: program, Mounts: []api.Mount{
			{Kind: api.MountStatic, Guest: "/www", Files: blob(files)}, {Kind: api.MountConfig, Guest: "/etc/app", Files: blob("same")}, {Kind: api.MountWork, Guest: "/work"},
		}})
	}
	const more = api.KeptVersions + 2
	for seq := range uint64(more) {
		mustAdd(t, l, version(seq+1, fmt.Sprint("files ", seq+1)))
	}
	mustAdd(t, l, version(more+1, fmt.Sprint("files ", more))) // the same once more
	peer := keys.Peer(owner.Public().(ed25519.PublicKey))
	mustAdd(t, l, sign(t, owner, api.Intent{Ref: api.Ref{Kind: api.KindVolume, Name: "cart"}}, api.Volume{Copies: []api.VolumeCopy{{Peer: peer, Since: 1, Files: blob("saved")}}}))
	seqs := map[api.Digest][]uint64{}
	all, _ := l.References(t0)
	for _, r := range all {
		seqs[r.Blob] = append(seqs[r.Blob], r.Seq)
	}
	for seq := range uint64(more) {
		got := seqs[blob(fmt.Sprint("files ", seq+1)).SHA256]
		if want := seq+1 > more-api.KeptVersions; want != (len(got) > 0) {
			t.Errorf("files of version %d: needed by %v", seq+1, got)
		}
	}
	if n := len(seqs[blob("same").SHA256]); n != api.KeptVersions+1 {
		t.Errorf("the configuration is needed by %d versions", n)
	}
	if len(seqs[blob("saved").SHA256]) != 1 {
		t.Error("what a volume is restored from is not needed")
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
