package casd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/fetch"
	"github.com/realm-mesh/realm/casd/internal/share"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/casd/internal/wire"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Bounds on what other members can have from this node.
const (
	followersEach = 64       // have-streams of one member
	maxAsk        = 64 << 10 // bytes of a ChunksRequest
)

// members serves what members ask each other while they fetch blobs.
type members struct {
	store   *store.Store
	fetcher *fetch.Fetcher
	uploads *share.Queue // each piece that is sent is a turn, of the member
	piece   int          // bytes of one
	hands   *hands
	lately  *lately
	metrics *fetch.Metrics
	packer  *wire.Packer
	idle    time.Duration
	log     *slog.Logger
	stopped chan struct{} // closed when the daemon stops

	mu        sync.Mutex
	followers map[api.PeerID]int
}

// newMembers brings blobs from other members, and serves these.
func newMembers(p parts, s *store.Store, begun func(...api.Digest)) *members {
	m := &members{store: s, hands: newHands(), lately: newLately(), packer: wire.NewPacker(), metrics: fetch.NewMetrics(p.metrics), idle: p.cfg.Idle, log: p.log,
		stopped: make(chan struct{}), followers: map[api.PeerID]int{}}
	m.uploads, m.piece = newUploads(p.cfg.Upload)
	m.fetcher = fetch.New(p.cfg.Fetch, fetch.Parts{
		Store: s, Providers: providers(p.bus, p.cfg.Ask), Client: p.client, Downloads: newDownloads(p.cfg.Download),
		Metrics: m.metrics, Begun: func(d api.Digest) { begun(d) }, Landed: m.lately.add, Log: p.log,
	})
	return m
}

func (m *members) register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteBlobIndex, m.index)
	mux.HandleFunc(api.RouteBlobHave, m.have)
	mux.HandleFunc(api.RouteChunks, m.chunks)
	mux.HandleFunc(api.RouteTransfers, m.transfers)
}

// run ends the have-streams when ctx ends: they would keep the daemon from stopping.
func (m *members) run(ctx context.Context) error {
	<-ctx.Done()
	close(m.stopped)
	return nil
}

func (m *members) fail(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, err, m.log) }

func (m *members) transfers(w http.ResponseWriter, _ *http.Request) {
	local.WriteJSON(w, http.StatusOK, api.TransfersReply{Transfers: m.fetcher.Transfers()})
}

// index tells how a blob is cut, be it here or on its way.
func (m *members) index(w http.ResponseWriter, r *http.Request) {
	d, err := pathDigest(r)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	idx, err := m.store.Index(d)
	if errors.Is(err, store.ErrNotFound) {
		idx, err = m.store.Partial(d)
	}
	if err != nil {
		m.fail(w, r, advise(err, d))
		return
	}
	m.store.Touch(d) // who reads the index is about to fetch it
	w.Header().Set("Content-Type", "application/json")
	// The caller has gone if this fails; there is nobody left to tell.
	_ = wire.WriteIndex(&idleWriter{w, m.idle}, idx)
}

// have tells what is here of a blob, as long as that changes.
func (m *members) have(w http.ResponseWriter, r *http.Request) {
	d, err := pathDigest(r)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	from := caller(r)
	if !m.follow(from) {
		local.WriteError(w, http.StatusTooManyRequests, fmt.Errorf("this member tells you of %d blobs already: end some fetches", followersEach))
		return
	}
	defer m.unfollow(from)
	release := m.store.Lease(d)
	defer release()
	lines, err := m.fetcher.Have(d, from)
	if err != nil {
		m.fail(w, r, advise(err, d))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-m.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	m.tell(ctx, w, lines)
}

// tell writes lines until they end.
func (m *members) tell(ctx context.Context, w http.ResponseWriter, lines *fetch.Lines) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := &idleWriter{w, m.idle}, http.NewResponseController(w)
	// That this node has, or fetches, the blob is known before the first line is.
	err := flush.Flush()
	for err == nil {
		var h api.Have
		if h, err = lines.Next(ctx); err != nil {
			return
		}
		var line []byte
		if line, err = wire.AppendHave(nil, h); err != nil {
			panic(http.ErrAbortHandler) // the line is lost: so is what follows
		}
		if _, err = out.Write(line); err == nil {
			err = flush.Flush()
		}
	}
}

// chunks sends chunks.
func (m *members) chunks(w http.ResponseWriter, r *http.Request) {
	var req api.ChunksRequest
	if err := decode(newIdleReader(w, r, m.idle), &req); err != nil {
		m.fail(w, r, err)
		return
	}
	from := caller(r)
	done, err := m.hands.take(r.Context(), from)
	if err != nil {
		return // the caller has gone
	}
	defer done()
	release := m.store.Lease(req.Blob)
	defer release()
	buf := reads.Get().(*[pieceMost]byte)
	defer reads.Put(buf)
	if err := m.answer(w, r, from, req.Chunks, buf); err != nil {
		panic(http.ErrAbortHandler) // a part may be gone, and its length
	}
}

// answer sends chunks, a part of buf's size at a time.
func (m *members) answer(w http.ResponseWriter, r *http.Request, to api.PeerID, chunks []api.Digest, buf *[pieceMost]byte) error {
	sizes, total := m.sizes(chunks)
	w.Header().Set("Content-Type", "application/octet-stream")
	var pack pack
	for first := true; len(sizes) > 0; first = false {
		b := buf[:0]
		var err error
		for len(sizes) > 0 && len(b) < readSize {
			if b, err = m.load(b, chunks[0], sizes[0]); err != nil {
				return err
			}
			chunks, sizes = chunks[1:], sizes[1:]
		}
		if first {
			if pack = m.packs(r, b); pack != nil {
				w.Header().Set("Content-Encoding", wire.Encoding)
			} else {
				w.Header().Set("Content-Length", strconv.FormatInt(total, 10))
			}
		}
		if err := m.pass(r.Context(), w, to, b, pack); err != nil {
			return err
		}
	}
	return nil
}

// lacking is the size of a chunk that is not here.
const lacking = -1

// sizes are those of chunks, and in all with their heads.
func (m *members) sizes(chunks []api.Digest) (sizes []int, total int64) {
	total = int64(len(chunks)) * wire.FrameHead
	for _, d := range chunks {
		n, err := m.store.Size(d)
		if err != nil {
			n = lacking
		}
		sizes = append(sizes, int(n))
		total += max(n, 0)
	}
	return sizes, total
}

// load adds a chunk to b, where there is room for it, after its head.
func (m *members) load(b []byte, d api.Digest, size int) ([]byte, error) {
	if size == lacking {
		return wire.AppendNoChunk(b), nil
	}
	b = wire.AppendHead(b, size)
	if err := m.read(d, size, b[len(b):len(b)+api.MaxChunk]); err != nil {
		return nil, err
	}
	return b[:len(b)+size], nil
}

// read reads a chunk of a known size into room, which has [api.MaxChunk] bytes. It is
// checked unless it was a moment ago.
func (m *members) read(d api.Digest, size int, room []byte) error {
	if m.lately.has(d) {
		if c, err := m.store.PeekChunk(d, room); err == nil && len(c) == size {
			return nil
		}
	}
	c, err := m.store.ReadChunk(d, room)
	if err != nil {
		return err
	}
	if len(c) != size {
		return store.ErrDamaged
	}
	m.lately.add(d)
	return nil
}

// send writes b, a turn for each piece of it.
func (m *members) send(ctx context.Context, w http.ResponseWriter, to api.PeerID, b []byte) error {
	out := &idleWriter{w, m.idle}
	for len(b) > 0 {
		part := b[:min(len(b), m.piece)]
		done, err := m.uploads.Turn(ctx, string(to), 1, int64(len(part)))
		if err != nil {
			return err
		}
		n, err := out.Write(part)
		done()
		m.metrics.Sent(n)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func decode(body io.Reader, v api.Validator) error {
	b, err := api.ReadAll(body, maxAsk)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("read the request: %w", err)
	}
	if err == nil {
		err = api.Decode(b, maxAsk, v)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	return nil
}

// caller is the member that asks; "" for a daemon of this node.
func caller(r *http.Request) api.PeerID {
	p, err := api.ParsePeerID(r.Header.Get(local.HeaderPeer))
	if err != nil {
		return ""
	}
	return p
}

func (m *members) follow(from api.PeerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.followers[from] == followersEach {
		return false
	}
	m.followers[from]++
	return true
}

func (m *members) unfollow(from api.PeerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.followers[from]--; m.followers[from] == 0 {
		delete(m.followers, from)
	}
}

// Chunks are read from the disk until they are about readSize bytes, and sent together.
const (
	readSize  = wire.PackSize
	pieceMost = readSize + wire.FrameHead + api.MaxChunk
)

var reads = sync.Pool{New: func() any { return new([pieceMost]byte) }}

// The turns of uploads.
const (
	uploadsAtOnce = 8
	uploadsEach   = 4
	uploadsSlow   = 250 * time.Millisecond
	pieceLeast    = 16 << 10
)

// newUploads bounds what is sent to others to so many bytes a second, 0 being no
// bound, and returns how many to send in one turn: few enough that nobody takes a slow
// line for a dead one.
func newUploads(rate int64) (q *share.Queue, piece int) {
	if piece = pieceMost; rate > 0 {
		piece = min(pieceMost, max(pieceLeast, int(rate/4)))
	}
	return share.New(share.Config{Rate: float64(rate), AtOnce: uploadsAtOnce, Each: uploadsEach, Slow: uploadsSlow}), piece
}

// The turns of downloads: each batch holds a chunk in memory.
const (
	downloadsAtOnce = 16
	downloadsEach   = 32
	downloadsSlow   = time.Second
)

// newDownloads bounds what is taken from others in the same way.
func newDownloads(rate int64) *share.Queue {
	return share.New(share.Config{Rate: float64(rate), AtOnce: downloadsAtOnce, Each: downloadsEach, Slow: downloadsSlow})
}
