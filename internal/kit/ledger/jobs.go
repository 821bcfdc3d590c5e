package ledger

import (
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// JobHead is a job as its newest version has it.
type JobHead struct {
	// Root is the digest of the job's first version, by which its records name it.
	Root api.Digest
	intent.Signed
}

// RootOf is the digest of the first version of the job that s is a version of, as far as
// s tells: of versions after the second, that of the one before.
func RootOf(s intent.Signed) api.Digest {
	if s.Seq == 1 {
		return s.Digest
	}
	return s.Prev
}

// Job is the job named ref at now; false where there is none, or it was removed.
func (l *Ledger) Job(ref api.Ref, now time.Time) (JobHead, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.job(ref, now)
}

func (l *state) job(ref api.Ref, now time.Time) (JobHead, bool) {
	s, ok := l.current(ref, now)
	if !ok || s.Tombstone || ref.Kind != api.KindJob {
		return JobHead{}, false
	}
	root := s
	for root.Seq > 1 {
		before, held := l.byDigest[root.Prev]
		if !held || before.Ref != ref {
			return JobHead{RootOf(root), s}, true
		}
		root = before
	}
	return JobHead{root.Digest, s}, true
}

// Jobs are all that there are at now, by root.
func (l *Ledger) Jobs(now time.Time) map[api.Digest]JobHead {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[api.Digest]JobHead{}
	l.eachJob(now, func(h JobHead) { out[h.Root] = h })
	return out
}

// eachJob calls fn for all jobs that there are at now.
func (l *state) eachJob(now time.Time, fn func(JobHead)) {
	for ref := range l.byRef {
		if ref.Kind != api.KindJob {
			continue
		}
		if h, ok := l.job(ref, now); ok {
			fn(h)
		}
	}
}

// Expires is when the next intent ends by its time; zero: none does.
func (l *Ledger) Expires() (next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.byDigest {
		if !s.Expires.IsZero() && (next.IsZero() || s.Expires.Before(next)) {
			next = s.Expires
		}
	}
	return next
}
