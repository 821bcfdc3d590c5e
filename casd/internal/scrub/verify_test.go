package scrub

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
)

// A verification ends with its caller, in the middle of reading or of mending.
func TestVerifyEndsWithItsCaller(t *testing.T) {
	errGone := errors.New("nobody listens")
	for name, leave := range map[string]func(p api.VerifyProgress, cancel func()) error{
		"its context ends":     func(_ api.VerifyProgress, cancel func()) error { cancel(); return nil },
		"its listener is gone": func(p api.VerifyProgress, _ func()) error { return errGone },
		"while it mends": func(p api.VerifyProgress, cancel func()) error {
			if len(p.Damaged) > 0 {
				cancel()
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t.TempDir())
			w.spoil(w.put(1, mib), 0)
			w.cfg.Fetch = func(ctx context.Context, _ api.Digest, _ int64) (api.BlobInfo, error) {
				<-ctx.Done()
				return api.BlobInfo{}, ctx.Err()
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := w.Verify(ctx, func(p api.VerifyProgress) error {
				if p.End {
					t.Errorf("it ended by itself: %+v", p)
				}
				return leave(p, cancel)
			})
			if !errors.Is(err, context.Canceled) && !errors.Is(err, errGone) {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

// Callers wait for one another, and are told that they do.
func TestVerifyQueue(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir)
		w.put(1, mib)
		hold, firstEnds, secondEnds := make(chan struct{}), make(chan error), make(chan error)
		go func() {
			firstEnds <- w.Verify(t.Context(), func(p api.VerifyProgress) error {
				if p.Done > 0 {
					<-hold
				}
				return nil
			})
		}()
		synctest.Wait()
		lines, ends := 0, 0
		go func() {
			secondEnds <- w.Verify(t.Context(), func(p api.VerifyProgress) error {
				lines++
				if p.End {
					ends++
				}
				return nil
			})
		}()
		time.Sleep(3*waitEvery + time.Second)
		synctest.Wait()
		if lines != 4 || ends != 0 {
			t.Errorf("while it waits: %d lines, %d ends", lines, ends)
		}
		third, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Verify(third, func(api.VerifyProgress) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one that does not wait so long: %v", err)
		}
		close(hold)
		if err := errors.Join(<-firstEnds, <-secondEnds); err != nil || ends != 1 {
			t.Errorf("%v, %d ends", err, ends)
		}
	})
}
