package ledger

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// What is added to a copy of a random set is not seen in the set, nor the other way
// round; and both come to the same.
func TestClone(t *testing.T) {
	for seed := range uint64(seeds(t) / 2) {
		w := newWorld(t, seed)
		half := w.IntN(len(w.all))
		l := New(thePin)
		_, _ = l.AddAll(w.all[:half], t0)
		before := view(l, t0)
		c := l.Clone()
		mustAgree(t, fmt.Sprint("seed ", seed, ", copy"), before, view(c, t0))
		sharesNothing(t, l, c)
		change, _ := c.AddAll(w.all[half:], t0)
		verify(t, c)
		mustAgree(t, fmt.Sprint("seed ", seed, ", what was copied"), before, view(l, t0))
		verify(t, l)
		again, _ := l.AddAll(w.all[half:], t0)
		mustAgree(t, fmt.Sprint("seed ", seed, ", both"), view(c, t0), view(l, t0))
		if !slices.Equal(digests(change.Added), digests(again.Added)) || !slices.Equal(digests(change.Dropped), digests(again.Dropped)) || change.Trust != again.Trust {
			t.Errorf("seed %d: the changes are others", seed)
		}
		o := New(thePin)
		o.Become(c)
		mustAgree(t, fmt.Sprint("seed ", seed, ", become"), view(l, t0), view(o, t0))
		if t.Failed() {
			t.FailNow()
		}
	}
}

// digests are those of all, in their order: that of a change is not always the same.
func digests(all []intent.Signed) (out []api.Digest) {
	for _, s := range all {
		out = append(out, s.Digest)
	}
	slices.SortFunc(out, api.Digest.Compare)
	return out
}

// sharesNothing looks at every map and list of both, also at those that are added one
// day.
func sharesNothing(t *testing.T, a, b *Ledger) {
	t.Helper()
	var compare func(path string, a, b reflect.Value)
	compare = func(path string, a, b reflect.Value) {
		switch a.Kind() {
		case reflect.Map, reflect.Slice:
			if a.Len() > 0 && a.Pointer() == b.Pointer() {
				t.Errorf("%s is shared", path)
			}
		case reflect.Struct:
			for i := range a.NumField() {
				compare(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
			}
		case reflect.Array:
			for i := range a.Len() {
				compare(path, a.Index(i), b.Index(i))
			}
		}
		if a.Kind() != reflect.Map {
			return
		}
		for _, k := range a.MapKeys() {
			switch v := a.MapIndex(k); v.Kind() {
			case reflect.Map, reflect.Slice:
				compare(path+"[]", v, b.MapIndex(k))
			}
		}
	}
	compare("state", reflect.ValueOf(&a.state).Elem(), reflect.ValueOf(&b.state).Elem())
}

func BenchmarkClone(b *testing.B) {
	l := New(thePin)
	model := component(b, owner, "x", 1)
	l.mu.Lock()
	for i := range api.MaxSync {
		l.insert(like(model, fmt.Sprintf("n%06d", i), 1))
	}
	l.events = nil
	l.mu.Unlock()
	for b.Loop() {
		l.Clone()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond), "ms/clone")
}
