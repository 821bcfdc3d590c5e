package scrub

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// worth is what of some damaged blobs should be brought again without being asked for.
func (s *Scrubber) worth(damaged []api.Digest) (out []api.Digest) {
	if len(damaged) == 0 {
		return nil
	}
	lately := map[api.Digest]bool{}
	s.records(func(r store.Record) { lately[r.SHA256] = s.lately(r) })
	for _, d := range damaged {
		if s.cfg.Wanted(d) || lately[d] {
			out = append(out, d)
		}
	}
	return out
}

func (s *Scrubber) records(fn func(store.Record)) {
	err := s.store.Records(func(r store.Record) error { fn(r); return nil })
	if err != nil {
		s.log.Error("look for blobs to mend", telemetry.Error(err))
	}
}

func (s *Scrubber) lately(r store.Record) bool { return time.Since(r.Used) < s.cfg.Lately }

// mend brings a blob again and reports whether it is whole now.
func (s *Scrubber) mend(ctx context.Context, d api.Digest) bool {
	var size int64
	if idx, err := s.store.Partial(d); err == nil {
		size = idx.Size
	}
	if _, err := s.cfg.Fetch(ctx, d, size); err != nil {
		if ctx.Err() == nil {
			s.log.Error("a blob is damaged, and no member gives sound bytes of it now", telemetry.KeyBlob, d.String(), telemetry.Error(err))
		}
		return false
	}
	s.log.Info("mended a blob", telemetry.KeyBlob, d.String())
	s.count(func(st *Stats) { st.Mended++ })
	return true
}

// Met has blobs mended at once that turned out damaged where they were read, as if this
// had found them. It does not wait.
func (s *Scrubber) Met(damaged []api.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range damaged {
		s.met[d] = struct{}{}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Scrubber) takeMet() []api.Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	met := slices.Collect(maps.Keys(s.met))
	clear(s.met)
	return met
}

// mendMet mends what others have met until ctx ends.
func (s *Scrubber) mendMet(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		}
		for _, d := range s.worth(s.found(s.takeMet())) {
			s.mend(ctx, d)
		}
	}
}

// retry tries once more to mend what is damaged and wanted, and what is pinned and not
// here.
func (s *Scrubber) retry(ctx context.Context) {
	lost := int64(0)
	for _, d := range s.waiting() {
		if ctx.Err() != nil {
			return
		}
		if !s.mend(ctx, d) {
			lost++
		}
	}
	s.count(func(st *Stats) { st.Lost = lost })
}

// waiting lists what waits to be mended.
func (s *Scrubber) waiting() (out []api.Digest) {
	here := map[api.Digest]bool{}
	s.records(func(r store.Record) {
		here[r.SHA256] = true
		if r.Damaged && (s.cfg.Wanted(r.SHA256) || s.lately(r)) {
			out = append(out, r.SHA256)
		}
	})
	for _, d := range s.cfg.Pinned() {
		if !here[d] {
			out = append(out, d)
		}
	}
	return out
}
