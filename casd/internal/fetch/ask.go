package fetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/wire"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// How a member can fail; what is none of these is a member that is away.
var (
	errLie    = errors.New("sent what it should not")
	errLacks  = errors.New("does not have it")
	errDiffer = errors.New("has another index than the one begun with")
)

var errStalled = errors.New("it sends nothing any more")

// peers asks other members' casd through this node's meshd.
type peers struct {
	client *http.Client
	stall  time.Duration // how long a member may send nothing
	first  time.Duration // how long before it sends anything, where that is longer
	answer time.Duration // how long an index or a batch may take in all

	packing *packing // of the answer; nil: it is not
}

// queues is how much longer a member may take to begin to send chunks than to go on.
const queues = 3

// index reads the index of a blob, which has a digest by then. Errors: errLie,
// errLacks, else p is away.
func (c peers) index(ctx context.Context, p api.PeerID, blob, want api.Digest) (api.BlobIndex, error) {
	idx, err := c.readIndex(ctx, p, blob)
	if err == nil && digest(idx) != want {
		err = fmt.Errorf("%w: another index than it has named", errLie)
	}
	if err != nil {
		return api.BlobIndex{}, fmt.Errorf("read index: %w", err)
	}
	return idx, nil
}

func (c peers) readIndex(ctx context.Context, p api.PeerID, blob api.Digest) (api.BlobIndex, error) {
	a, err := c.ask(ctx, p, http.MethodGet, api.PathBlobIndex(blob), nil)
	if err != nil {
		return api.BlobIndex{}, err
	}
	defer a.Close()
	b, err := api.ReadAll(a, api.MaxBlobIndex)
	if errors.Is(err, api.ErrTooLarge) {
		return api.BlobIndex{}, fmt.Errorf("%w: %w", errLie, err)
	}
	if err != nil {
		return api.BlobIndex{}, err
	}
	var idx api.BlobIndex
	if err := api.Decode(b, api.MaxBlobIndex, &idx); err != nil {
		return api.BlobIndex{}, fmt.Errorf("%w: %w", errLie, err)
	}
	if idx.SHA256 != blob || len(idx.Chunks) > api.MaxChunks {
		return api.BlobIndex{}, fmt.Errorf("%w: it is about blob %s, in %d chunks", errLie, idx.SHA256.Short(), len(idx.Chunks))
	}
	return idx, nil
}

// digest is what members call an index by.
func digest(idx api.BlobIndex) api.Digest {
	sum := sha256.New()
	_ = wire.WriteIndex(sum, idx) // neither a hash nor marshalling digests and numbers fails
	return api.Digest(sum.Sum(nil))
}

// haves are the lines that a member tells of what it has.
type haves struct {
	*answer
	lines *wire.Haves
}

// have asks p to tell which chunks of a blob it has, until ctx ends or it is closed.
func (c peers) have(ctx context.Context, p api.PeerID, blob api.Digest) (*haves, error) {
	c.answer = 0 // it goes on as long as p's own fetch
	a, err := c.ask(ctx, p, http.MethodGet, api.PathBlobHave(blob), nil)
	if err != nil {
		return nil, err
	}
	a.patience(0) // nothing may change for long
	return &haves{a, wire.NewHaves(a)}, nil
}

// next is the next line; [io.EOF] when p tells no more. Errors: errLie, else p is away.
func (h *haves) next() (api.Have, error) {
	v, err := h.lines.Next()
	return v, lie(err)
}

// chunks are those of a batch, on their way.
type chunks struct {
	*answer
	frames *wire.Chunks
	buf    *bufio.Reader
	packed *wire.Unpacked // nil: they are not
	before int64          // bytes of the answer that [chunks.moved] has told of
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

// packing says that an answer may be packed, and beside what.
type packing struct {
	names   []api.Digest // chunks that history is made of
	history []byte
}

func (k *packing) header(h http.Header) {
	if k == nil {
		return
	}
	h.Set("Accept-Encoding", wire.Encoding)
	if len(k.names) > 0 {
		h.Set(api.HeaderHistory, wire.NameHistory(k.names))
	}
}

// chunks asks p for chunks, which may come as pack says; nil: not packed.
func (c peers) chunks(ctx context.Context, p api.PeerID, r api.ChunksRequest, pack *packing) (*chunks, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	// It may have others to serve first, which is no stall yet.
	queue := c
	queue.first, queue.packing = queues*c.stall, pack
	a, err := queue.ask(ctx, p, http.MethodPost, api.PathChunks, body)
	if err != nil {
		return nil, err
	}
	in := &chunks{answer: a, buf: readers.Get().(*bufio.Reader)}
	if pack == nil || a.encoding != wire.Encoding {
		in.buf.Reset(a)
	} else if in.packed, err = wire.Unpack(a, pack.history); err == nil {
		in.buf.Reset(in.packed)
	} else {
		return nil, errors.Join(err, in.Close())
	}
	in.frames = wire.NewChunks(in.buf)
	return in, nil
}

// next fills b with the next chunk. Errors: [wire.ErrNoChunk], errLie, else p is away.
func (c *chunks) next(b []byte) error { return c.told(lie(c.frames.Next(b))) }

// end is to be called after the last chunk.
func (c *chunks) end() error { return c.told(lie(c.frames.End())) }

// moved is how many bytes have come over the network for a chunk of n that has come.
func (c *chunks) moved(n int64) int64 {
	if c.packed == nil {
		return n
	}
	n, c.before = c.count-c.before, c.count
	return n
}

// Close ends the answer, wherever it is.
func (c *chunks) Close() error {
	c.buf.Reset(nil)
	readers.Put(c.buf)
	if c.packed != nil {
		c.packed.Close()
	}
	return c.answer.Close()
}

// chunk fills b with one chunk, which p has checked before it sends it. Errors: errLacks,
// errLie, else p is away.
func (c peers) chunk(ctx context.Context, p api.PeerID, want api.BlobInfo, b []byte) error {
	a, err := c.ask(ctx, p, http.MethodGet, api.PathChunk(want.SHA256), nil)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := io.ReadFull(a, b); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: a part of chunk %s", errLie, want.SHA256.Short())
	} else if err != nil {
		return a.told(err)
	}
	return nil
}

// lie makes a broken rule a lie.
func lie(err error) error {
	if errors.Is(err, wire.ErrBroken) {
		return fmt.Errorf("%w: %w", errLie, err)
	}
	return err
}

// answer is the body of one, watched: it fails when nothing comes for too long.
type answer struct {
	body  io.ReadCloser
	ctx   context.Context //nolint:containedctx // it is that of the request, whose body this is
	end   func()
	timer *time.Timer
	stall time.Duration

	encoding string
	count    int64 // bytes that have come
}

// ask sends a request. The caller closes the answer. Errors: errLacks, else p is away.
func (c peers) ask(ctx context.Context, p api.PeerID, method, path string, body []byte) (*answer, error) {
	end := func() {}
	if c.answer > 0 {
		ctx, end = context.WithTimeout(ctx, c.answer)
	}
	ctx, stalled := context.WithCancelCause(ctx)
	a := &answer{ctx: ctx, stall: c.stall, timer: time.AfterFunc(max(c.first, c.stall), func() { stalled(errStalled) })}
	a.end = func() { stalled(nil); end() }
	resp, err := c.send(ctx, p, method, path, body) //nolint:bodyclose // the answer closes it
	if err == nil {
		a.body, a.encoding = resp.Body, resp.Header.Get("Content-Encoding")
		err = local.CheckStatus(resp)
	}
	if err == nil {
		return a, nil
	}
	if status, ok := errors.AsType[*local.StatusError](err); ok && status.Status == http.StatusNotFound {
		err = errLacks
	}
	return nil, errors.Join(a.told(err), a.Close())
}

func (c peers) send(ctx context.Context, p api.PeerID, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, local.URL(api.Meshd, api.PathPeer(p, api.ServiceBlob, path)), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.packing.header(req.Header)
	return c.client.Do(req)
}

// patience changes how long nothing may come; 0: for ever.
func (a *answer) patience(d time.Duration) {
	a.stall = d
	if d == 0 {
		a.timer.Stop()
	}
}

// Read implements [io.Reader].
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	a.count += int64(n)
	if n > 0 && a.stall > 0 {
		a.timer.Reset(a.stall)
	}
	return n, a.told(err)
}

// told is err, or what made it.
func (a *answer) told(err error) error {
	if cause := context.Cause(a.ctx); err != nil && cause != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLie) {
		return cause
	}
	return err
}

// Close ends the request.
func (a *answer) Close() error {
	a.timer.Stop()
	a.end()
	if a.body == nil {
		return nil
	}
	return a.body.Close()
}
