package collect

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// model is what a store must hold, whatever was done to it.
type model struct {
	*world
	rnd     *rand.Rand
	bytes   map[api.Digest][]byte // of all blobs that were ever put
	order   []api.Digest          // in which they were put
	readers map[api.Digest]*store.Reader
	next    uint64
}

// protected reports whether a blob that is here may not go.
func (m *model) protected(d api.Digest) bool {
	needed, ok := m.refs.needed[d]
	return m.refs.unknown || m.pins.Has(d) || m.readers[d] != nil || ok && (needed || !m.refs.elsewhere[d])
}

// here lists what is here by the store's own word.
func (m *model) here() (out []api.Digest) {
	m.t.Helper()
	if err := m.store.Records(func(r store.Record) error { out = append(out, r.SHA256); return nil }); err != nil {
		m.t.Fatal(err)
	}
	return out
}

// some is any blob that was put.
func (m *model) some() (api.Digest, bool) {
	if len(m.order) == 0 {
		return api.Digest{}, false
	}
	return m.order[m.rnd.IntN(len(m.order))], true
}

// step does something, and says what.
func (m *model) step() string {
	d, any := m.some()
	switch op := m.rnd.IntN(13); {
	case op < 4 || !any:
		return m.doPut()
	case op == 4:
		err := m.Pin(d)
		if errors.Is(err, store.ErrNotFound) == m.has(d) {
			m.t.Fatalf("pin: %v", err)
		}
		return fmt.Sprint("pin ", d.Short(), ": ", err)
	case op == 5:
		return fmt.Sprint("unpin ", d.Short(), ": ", m.Unpin(d))
	case op == 6:
		m.refs.need(d, m.rnd.IntN(2) == 0)
		return "need " + d.Short()
	case op == 7:
		m.refs.forget(d)
		return "forget " + d.Short()
	case op == 8:
		m.refs.elsewhere[d] = !m.refs.elsewhere[d]
		return "elsewhere " + d.Short()
	case op == 9:
		return m.doRead(d)
	case op == 10:
		return m.doCollect()
	case op == 11 && m.rnd.IntN(4) == 0:
		m.refs.unknown = !m.refs.unknown
		return fmt.Sprint("unknown ", m.refs.unknown)
	}
	if err := m.look(m.t.Context(), func(bool) {}); err != nil {
		m.t.Fatal(err)
	}
	return "look"
}

// doPut stores a new blob, or one that was there before, or one that shares bytes with
// such a one. It may be refused only if what must stay leaves no room.
func (m *model) doPut() string {
	m.next++
	b := noise(m.next, 1+m.rnd.IntN(4*unit))
	if d, any := m.some(); any && m.rnd.IntN(3) == 0 {
		b = slices.Concat(m.bytes[d], b[:len(b)/4])
	} else if any && m.rnd.IntN(4) == 0 {
		b = m.bytes[d]
	}
	if len(b) > 8*unit {
		b = b[:8*unit]
	}
	d := api.Sum(b)
	if _, known := m.bytes[d]; !known {
		m.order = append(m.order, d)
	}
	m.bytes[d] = b
	var stays int64
	for _, other := range m.here() {
		if m.protected(other) {
			stays += int64(len(m.bytes[other]))
		}
	}
	_, err := m.tryPut(b)
	if errors.Is(err, disk.ErrFull) && stays+int64(len(b)) > m.cfg.Quota {
		return "put is refused"
	}
	if err != nil {
		m.t.Fatalf("put %d bytes where %d of %d stay: %v", len(b), stays, m.cfg.Quota, err)
	}
	if !m.has(d) {
		m.t.Fatalf("put %s: it is not here", d.Short())
	}
	return "put " + d.Short()
}

// doRead begins to read a blob, or ends it.
func (m *model) doRead(d api.Digest) string {
	if r := m.readers[d]; r != nil {
		if got, err := io.ReadAll(r); err != nil || len(got) != len(m.bytes[d]) {
			m.t.Fatalf("read %s: %d bytes, %v", d.Short(), len(got), err)
		}
		delete(m.readers, d)
		return fmt.Sprint("read ", d.Short(), ": ", r.Close())
	}
	r, err := m.store.Open(d)
	if errors.Is(err, store.ErrNotFound) {
		return "open what is not here"
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.readers[d] = r
	return "open " + d.Short()
}

func (m *model) doCollect() string {
	req := api.CollectRequest{Free: int64(m.rnd.IntN(3) * unit), DryRun: m.rnd.IntN(2) == 0}
	before := m.store.Stats().Bytes
	got, err := m.Collect(m.t.Context(), req)
	if errors.Is(err, ErrUnknown) && m.refs.unknown {
		return "collect: unknown"
	}
	if err != nil {
		m.t.Fatal(err)
	}
	freed := before - m.store.Stats().Bytes
	if !req.DryRun && freed != got.Freed || req.DryRun && freed != 0 {
		m.t.Fatalf("collect %+v: it says %d bytes, and freed %d", req, got.Freed, freed)
	}
	for _, b := range got.Blobs {
		if m.protected(b.SHA256) {
			m.t.Fatalf("collect %+v: %s was to stay", req, b.SHA256.Short())
		}
	}
	if req.Free == 0 && !req.DryRun {
		for _, d := range m.here() {
			if !m.protected(d) {
				m.t.Fatalf("collect everything: %s is left", d.Short())
			}
		}
	}
	return fmt.Sprintf("collect %+v: %d", req, got.Freed)
}

// Whatever is done in whatever order: what must stay does, with all its bytes, and the
// store keeps within its quota.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &model{world: newWorld(t, t.TempDir(), 12*unit), rnd: rand.New(rand.NewPCG(seed, 1)), bytes: map[api.Digest][]byte{},
				readers: map[api.Digest]*store.Reader{}}
			for i := range 80 {
				var stay []api.Digest
				for _, d := range m.here() {
					if m.protected(d) {
						stay = append(stay, d)
					}
				}
				did := m.step()
				m.within()
				for _, d := range stay {
					if !m.has(d) && m.protected(d) {
						t.Fatalf("step %d, %s: %s is gone", i, did, d.Short())
					}
				}
				if st := m.store.Stats(); st.Reserved != 0 || st.Staged != 0 {
					t.Fatalf("step %d, %s: %+v", i, did, st)
				}
			}
			for d, r := range m.readers {
				if got, err := io.ReadAll(r); err != nil || api.Sum(got) != d {
					t.Errorf("a reader gets %d bytes, %v", len(got), err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			for _, d := range m.here() {
				m.sound(d, m.bytes[d])
			}
		})
	}
}
