package store

import "context"

// trial is what is known of a writer that was refused room for all that it may write.
// Some of that may be here already, in other blobs. So it takes what is free, one chunk
// after the other, and has room made only for all that may come yet: nothing goes for a
// blob that does not fit in the end.
type trial struct {
	refusal error
	rest    int64 // what may have to be written yet; guarded by store.mu
	shared  int64 // what was here already; guarded by store.mu
}

// try returns a promise of nothing to a writer that was refused size bytes.
func (s *Store) try(size int64, refusal error) *Reservation {
	return &Reservation{store: s, trial: &trial{refusal: refusal, rest: size}}
}

// serial reports whether chunks have to be written one by one: what is known of the rest
// is not known else.
func (r *Reservation) serial() bool { return r.trial != nil }

// make has n bytes fit, or all the rest of a trial. It returns how many.
func (r *Reservation) make(ctx context.Context, n int64) (int64, error) {
	if r.trial != nil {
		rest, shared := r.trial.stands(r.store)
		if shared == 0 {
			return 0, r.trial.refusal
		}
		n = max(n, rest)
	}
	return n, r.store.room.Make(ctx, n, false)
}

func (t *trial) stands(s *Store) (rest, shared int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.rest, t.shared
}

// pass counts bytes of a trial as written, or as here. store.mu is held.
func (t *trial) pass(written, shared int64) {
	if t != nil {
		t.rest -= written + shared
		t.shared += shared
	}
}
