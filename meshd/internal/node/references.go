package node

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// errReferences: what the realm needs is not known, which is not the same as nothing.
var errReferences = errors.New("this node has not been brought up to date by a member yet: which blobs the realm needs is not known, ask again in a while")

// References serves [api.RouteReferences]: 503 until the node knows what its realm holds.
//
// A request with If-None-Match waits for a change as long as "Prefer: wait=SECONDS" says
// (RFC 7240), at most [api.MaxWait], and is answered 304 when there was none. The ETag is
// made from the list alone, so that it outlives the process.
func (n *Node) References(w http.ResponseWriter, r *http.Request) {
	if !n.knows() {
		local.WriteError(w, http.StatusServiceUnavailable, errReferences)
		return
	}
	list, tag := n.needed.await(r.Context(), n, n.cfg.Now, r.Header.Get("If-None-Match"), waitOf(r.Header))
	w.Header().Set("ETag", tag)
	if tag == r.Header.Get("If-None-Match") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	for i := range list {
		if lines.Encode(&list[i]) != nil {
			panic(http.ErrAbortHandler) // a list cut short must not look like one
		}
	}
	if out.Flush() != nil {
		panic(http.ErrAbortHandler)
	}
}

// knows reports whether what the node holds is what its realm does, or was once: a
// founder does not forget what it knows when a second member is admitted.
func (n *Node) knows() bool {
	if !n.needed.known.Load() && (!n.cfg.Fresh || n.synced(n.standing())) {
		n.needed.known.Store(true)
	}
	return n.needed.known.Load()
}

// waitOf is how long the caller is ready to wait for news.
func waitOf(h http.Header) time.Duration {
	for _, p := range strings.FieldsFunc(h.Get("Prefer"), func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		if text, ok := strings.CutPrefix(p, "wait="); ok {
			if s, err := strconv.Atoi(text); err == nil && s > 0 {
				return time.Duration(min(s, int(api.MaxWait/time.Second))) * time.Second
			}
		}
	}
	return 0
}

// needed is the list of what the realm needs, made anew when somebody asks and the set
// of intents is another one. The zero needed is ready for use.
type needed struct {
	known atomic.Bool // see knows

	making   sync.Mutex // guards what follows; it is held for as long as the making takes
	revision uint64
	until    time.Time // when the list has to be made anew; zero: with the next revision
	list     []api.Reference
	tag      string // of list; empty: it was never made

	mu     sync.Mutex
	news   chan struct{} // closed with the next change; nil: nobody waits
	closed bool          // nobody is to wait any more
}

// look returns the list now, its ETag, and when it may be another one without a change.
func (d *needed) look(n *Node, now time.Time) (list []api.Reference, tag string, until time.Time) {
	d.making.Lock()
	defer d.making.Unlock()
	at := n.ledger().Revision() + n.cfg.Records.Revision() // before the list: it may be newer than that, and is then made twice
	if d.tag == "" || at != d.revision || !d.until.IsZero() && !now.Before(d.until) {
		d.list, d.until = n.ledger().References(now)
		d.list = n.withRecords(d.list, now)
		d.tag, d.revision = tagOf(d.list), at
	}
	return d.list, d.tag, d.until
}

// await is look, which waits for as long as limit while the list has the ETag known.
func (d *needed) await(ctx context.Context, n *Node, now func() time.Time, known string, limit time.Duration) ([]api.Reference, string) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for over := false; ; {
		news, closed := d.next() // before the list: what comes meanwhile is seen
		list, tag, until := d.look(n, now())
		if tag != known || limit == 0 || closed || over {
			return list, tag
		}
		if begins := until.Sub(now()); !until.IsZero() && begins < limit {
			limit = begins
			timeout.Reset(limit)
		}
		select {
		case <-news:
		case <-timeout.C:
			over = true
		case <-ctx.Done():
			return list, tag
		}
	}
}

// next is what is closed with the next change.
func (d *needed) next() (news <-chan struct{}, closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.news == nil {
		d.news = make(chan struct{})
	}
	return d.news, d.closed
}

// changed is told of each change of the set.
func (d *needed) changed(c ledger.Change) {
	if c.Trust || slices.ContainsFunc(c.Added, refers) || slices.ContainsFunc(c.Dropped, refers) {
		d.wake(false)
	}
}

// refers reports whether s may name a blob.
func refers(s intent.Signed) bool {
	return s.Kind.Workload() || s.Kind == api.KindPin || s.Kind == api.KindJob || s.Kind == api.KindVolume
}

// wake has all who wait look again; for good, nobody waits any more.
func (d *needed) wake(forGood bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = d.closed || forGood
	if d.news != nil {
		close(d.news)
		d.news = nil
	}
}

// tagOf is the ETag of a list.
func tagOf(list []api.Reference) string {
	h := sha256.New()
	var line []byte
	for _, r := range list {
		line = append(line[:0], r.Blob[:]...)
		line = binary.BigEndian.AppendUint64(line, uint64(r.Size))
		line = binary.BigEndian.AppendUint64(line, r.Seq)
		line = append(line, byte(r.Copies))
		if r.Current {
			line = append(line, 1)
		}
		line = append(append(line, r.String()...), 0)
		h.Write(line)
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}
