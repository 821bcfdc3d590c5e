package wanted

import (
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

// settle puts the marks of all that was taken on disk, and compares what is due with
// what was returned before.
func (b *Book) settle() (Change, error) {
	if err := b.cfg.Marks.AdvanceAll(b.unmarked); err != nil {
		return Change{}, err
	}
	clear(b.unmarked)
	now := b.cfg.Now()
	out := Change{Members: b.members, Volumes: b.volumes, Secrets: b.secrets, Taken: b.taken}
	for ref, dropped := range b.touched {
		if ref.Kind == api.KindManifest {
			b.noteManifest(ref, now)
			continue
		}
		if ref.Kind == api.KindJob {
			out.Jobs = append(out.Jobs, b.job(ref, now)...)
			continue
		}
		if w, changed := b.compare(ref, now); changed || dropped && w.Seq != 0 {
			b.shown[ref] = w
			out.Wants = append(out.Wants, w)
		}
	}
	clear(b.touched)
	clear(b.news)
	b.members, b.volumes, b.secrets, b.taken = false, false, false, 0
	b.mu.Lock()
	b.wanted = len(b.shown)
	b.mu.Unlock()
	return out, nil
}

// job says what is otherwise about a job.
func (b *Book) job(ref api.Ref, now time.Time) (out []Job) {
	was, had := b.jobs[ref]
	h, ok := b.set.Job(ref, now)
	if had && (!ok || was.Root != h.Root) {
		out = append(out, Job{Root: was.Root, Name: ref.Name})
		delete(b.jobs, ref)
	}
	if ok && (!had || was.Root != h.Root || was.Head.Digest != h.Digest) {
		b.jobs[ref] = Job{h.Root, ref.Name, &h.Signed}
		out = append(out, b.jobs[ref])
	}
	return out
}

// compare says what is wanted of ref, and whether that is otherwise than before.
func (b *Book) compare(ref api.Ref, now time.Time) (w Want, changed bool) {
	was, had := b.shown[ref]
	s, ok := b.set.Current(ref, now)
	switch {
	case ok:
		w = Want{Signed: s, News: b.news[s.Digest]}
	case had && was.Lost == "":
		w = was
		w.Lost = b.whyLost(was.Signed, now)
	default:
		return was, false
	}
	return w, !had || !w.Same(was)
}

// whyLost tells why s, which was wanted, is not any more, though nothing follows it.
func (b *Book) whyLost(s intent.Signed, now time.Time) string {
	_, err := b.set.Check(s, now)
	for _, known := range []error{ledger.ErrRevoked, ledger.ErrForbidden, ledger.ErrUnauthorized} {
		if errors.Is(err, known) {
			return fmt.Sprintf("nobody asks for it any more: %v", err)
		}
	}
	return "nobody asks for it any more"
}

// Stands reports whether s may run here in the place of what is wanted and does not
// come up: what its signer says counts, or did until the realm had a new owner key.
func (b *Book) Stands(s intent.Signed) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.set == nil {
		return false
	}
	held, err := b.set.Check(s, b.cfg.Now())
	return held || err == nil || b.former[s.Signer] || errors.Is(err, ledger.ErrOlder) || errors.Is(err, ledger.ErrFull)
}

// Open reads an envelope that was kept on disk, and checks that it [Book.Stands].
func (b *Book) Open(envelope []byte) (intent.Signed, error) {
	s, err := intent.Read(envelope)
	if err == nil && !b.Stands(s) {
		err = fmt.Errorf("%s number %d: %w", s.Ref, s.Seq, ledger.ErrRevoked)
	}
	return s, err
}
