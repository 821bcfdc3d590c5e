package casd

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// tellEvery is how often it is told how far a file is.
const tellEvery = 200 * time.Millisecond

// fileEnd is how work with a file has ended.
type fileEnd struct {
	api.FileProgress
	err error
}

// tell calls do, and tells how far that is, which do counts, until it ends. An error
// before anything was done has its own status. ctx is that of r.
func (f files) tell(ctx context.Context, w http.ResponseWriter, r *http.Request, do func(context.Context, *atomic.Int64) (api.FileProgress, error)) {
	done, ended := new(atomic.Int64), make(chan fileEnd, 1)
	go func() {
		var e fileEnd
		e.err = task.Guard(ctx, func(ctx context.Context) (err error) {
			e.FileProgress, err = do(ctx, done)
			return err
		})
		ended <- e
	}()
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	lines := &fileLines{to: &idleWriter{w, f.idle}}
	for {
		select {
		case <-tick.C:
			lines.write(api.FileProgress{Done: done.Load()})
		case e := <-ended:
			e.Done, e.End = done.Load(), true
			if e.err != nil && e.Done == 0 && !lines.begun {
				f.fail(w, r, e.err)
				return
			}
			if e.err != nil {
				e.Status, e.Error = f.failed(r, e.err), e.err.Error()
			}
			lines.write(e.FileProgress)
			return
		}
	}
}

// fileLines is an answer of several lines.
type fileLines struct {
	to    *idleWriter
	begun bool
}

func (l *fileLines) write(p api.FileProgress) {
	if !l.begun {
		l.to.Header().Set("Content-Type", "application/x-ndjson")
		l.begun = true
	}
	// Who does not listen any more has ended the context of the request, too.
	_ = errors.Join(json.NewEncoder(l.to).Encode(p), http.NewResponseController(l.to.ResponseWriter).Flush())
}
