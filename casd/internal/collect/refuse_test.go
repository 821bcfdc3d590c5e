package collect

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// What cannot fit whatever goes is refused before anything does.
func TestNothingGoesForWhatCannotFit(t *testing.T) {
	pin := func(w *world, d api.Digest) { w.pin(d) }
	elsewhere := func(w *world, d api.Digest) { w.refs.need(d, false) }
	tests := []struct {
		name string
		hold func(*world, api.Digest) // what makes 4 of 10 units stay
		size int                      // of what is put, in bytes
	}{
		{"larger than the quota", pin, 11 * unit},
		{"larger than what is not pinned", pin, 7 * unit},
		{"larger than what the realm does not need", func(w *world, d api.Digest) { w.refs.need(d, true) }, 7 * unit},
		{"larger than what nobody reads", func(w *world, d api.Digest) { w.t.Cleanup(w.store.Lease(d)) }, 7 * unit},
		{"larger than what others do not confirm", elsewhere, 7 * unit},
		{"cut coarse", pin, 65 * mib},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), 10*unit)
			blobs := w.puts(9, unit)
			for _, d := range blobs[5:] {
				tt.hold(w, d)
			}
			_, err := w.tryPut(noise(1, tt.size))
			var full *Refusal
			if !errors.As(err, &full) || full.Missing != int64(tt.size-unit) {
				t.Errorf("put: %v; want %d bytes to be missing", err, tt.size-unit)
			}
			w.want("after the refusal", blobs, slices.Repeat([]bool{true}, 9)...)
			if n, _, _ := w.Totals(); n != 0 {
				t.Errorf("%d blobs were collected for nothing", n)
			}
			if st := w.store.Stats(); st.Reserved != 0 || st.Staged != 0 {
				t.Errorf("what was refused is counted: %+v", st)
			}
		})
	}
}

// What is cached and shares its chunks with what stays does not count as room.
func TestNothingGoesThatFreesTooLittle(t *testing.T) {
	w := newWorld(t, t.TempDir(), 10*unit)
	kept := noise(1, 8*unit)
	w.pin(w.put(kept))
	cached := w.put(slices.Concat(kept, noise(2, unit)))
	if _, err := w.tryPut(noise(3, 4*unit)); !errors.Is(err, disk.ErrFull) {
		t.Errorf("put: %v", err)
	}
	w.want("after the refusal", []api.Digest{cached}, true)
}

// Keepers that confirm too little cost nothing that is here.
func TestNothingGoesWhereKeepersConfirmTooLittle(t *testing.T) {
	w := newWorld(t, t.TempDir(), 10*unit)
	blobs := w.puts(10, unit)
	for _, d := range blobs[2:] {
		w.refs.need(d, false)
	}
	w.refs.elsewhere[blobs[2]] = true
	w.refs.elsewhere[blobs[9]] = true
	if _, err := w.tryPut(noise(1, 5*unit)); !errors.Is(err, disk.ErrFull) {
		t.Errorf("put: %v", err)
	}
	w.want("after the refusal", blobs, slices.Repeat([]bool{true}, 10)...)
	w.put(noise(2, 4*unit))
	w.want("when they confirm enough", blobs, false, false, false, true, true, true, true, true, true, false)
}

// A fetch reserves what its index lists: if that cannot fit, nothing goes for it.
func TestNothingGoesForAFetchThatCannotFit(t *testing.T) {
	w := newWorld(t, t.TempDir(), 10*unit)
	blobs := w.puts(10, unit)
	w.pin(blobs[0])
	if _, err := w.store.Reserve(t.Context(), 9*unit+1); !errors.Is(err, disk.ErrFull) {
		t.Errorf("reserve: %v", err)
	}
	w.want("after the refusal", blobs, slices.Repeat([]bool{true}, 10)...)
	r, err := w.store.Reserve(t.Context(), 9*unit)
	if err != nil {
		t.Fatal(err)
	}
	r.Release()
	w.want("for what fits", blobs, append([]bool{true}, make([]bool, 9)...)...)
}

// A new version whose size alone does not fit beside what stays has what is cached go as
// soon as what it shares shows that this is enough, and not before.
func TestSharedChunksFitWhereOthersGo(t *testing.T) {
	w := newWorld(t, t.TempDir(), 20*unit)
	old := noise(1, 16*unit)
	w.refs.need(w.put(old), true)
	cached := w.puts(4, unit)
	changed := slices.Concat(old[:14*unit], noise(2, 3*unit))
	w.sound(w.put(changed), changed)
	w.within()
	if n, _, _ := w.Totals(); n < 3 {
		t.Errorf("%d of %d cached blobs went", n, len(cached))
	}

	w = newWorld(t, t.TempDir(), 20*unit)
	w.refs.need(w.put(old), true)
	cached = w.puts(4, unit)
	tooMuch := slices.Concat(old[:12*unit], noise(3, 5*unit))
	if _, err := w.tryPut(tooMuch); !errors.Is(err, disk.ErrFull) {
		t.Errorf("put: %v", err)
	}
	w.want("after the refusal", cached, true, true, true, true)
}

// A refusal tells what is missing even if all that may go does, and leaves out what would
// not help.
func TestRefusalSaysWhatHelps(t *testing.T) {
	w := newWorld(t, t.TempDir(), 20*mib)
	w.pin(w.put(noise(1, 12*mib)))
	w.put(noise(2, 6*mib))
	_, err := w.tryPut(noise(3, 15*mib))
	for _, want := range []string{"13 MiB are missing of its quota of 20 MiB", "7 MiB are missing though all that is cached went", "of 18 MiB in the store, 12 are needed", "6 are cached", "0 are promised"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
