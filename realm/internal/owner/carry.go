package owner

import (
	"bytes"
	"reflect"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

// againIn is [Again] for anything that l holds. Where somebody has signed a component
// of a manifest anew, word for word, the manifest names the new version.
func againIn(l *ledger.Ledger, ref api.Ref, now time.Time) Act {
	if ref.Kind != api.KindManifest {
		return Act{ref, Again()}
	}
	return Act{ref, func(cur *intent.Signed) (Wanted, error) {
		if cur == nil {
			return Wanted{}, ErrUnknown
		}
		w := again(*cur)
		if m, ok := readManifest(*cur); ok { // else a newer version has written it: it stays as it is
			for i := range m.Components {
				m.Components[i].Intent = successor(l, m.Components[i], now)
			}
			w.Body = &m
		}
		return w, nil
	}}
}

func readManifest(s intent.Signed) (m api.Manifest, ok bool) {
	ok = !s.Tombstone && api.Decode(s.Body, api.MaxEnvelope, &m) == nil
	return m, ok
}

// successor is the version of c that counts, if it says the same as the one that c
// names, and so do all between them; else that one.
func successor(l *ledger.Ledger, c api.ManifestComponent, now time.Time) api.Digest {
	cur, ok := l.Current(api.Ref{Kind: api.KindComponent, Name: c.Name}, now)
	for s := cur; ok && sameWords(s, cur); s, ok = l.Held(s.Prev) {
		if s.Digest == c.Intent {
			return cur.Digest
		}
	}
	return c.Intent
}

func sameWords(a, b intent.Signed) bool {
	return a.Ref == b.Ref && a.Tombstone == b.Tombstone && bytes.Equal(a.Body, b.Body) && reflect.DeepEqual(a.Target, b.Target)
}

// Together is how many of acts, from the first on, can be signed by what one ledger
// holds: manifests name what is signed before them.
func Together(acts []Act) int {
	for i, a := range acts {
		if a.Kind == api.KindManifest && acts[0].Kind != api.KindManifest {
			return i
		}
	}
	return len(acts)
}
