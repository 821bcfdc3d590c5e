package conduct

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// maxPeers is how many peers a Book remembers, the worst ones first.
const maxPeers = 4096

// Config says whom to tell. Its functions are called by [Book.Run] alone.
type Config struct {
	// Changed is told what people should read of a peer; "" when all is well again.
	Changed func(p peer.ID, sentence string)
	// Block cuts off a peer: it must close its connections. [Book.Blocked] says so
	// when it comes back too soon.
	Block func(p peer.ID)
	Log   *slog.Logger
}

// Book remembers how peers behave. Its methods are safe for use by several
// goroutines, and do not block.
type Book struct {
	cfg Config

	mu    sync.Mutex
	peers map[peer.ID]*record
	wake  chan struct{}
}

// record is what is known of a peer.
type record struct {
	points  float64
	at      time.Time // of points
	counts  [offences]int
	blocked time.Time // until when; zero: it is not
	expel   bool      // Block has not been called yet
	shown   string    // sentence that was told
	dirty   bool      // the sentence may be another
	buckets [classes]*bucket
	said    []statement
	used    time.Time
}

// New makes an empty Book.
func New(cfg Config) *Book {
	return &Book{cfg: cfg, peers: map[peer.ID]*record{}, wake: make(chan struct{}, 1)}
}

// Note takes note of an offence of p.
func (b *Book) Note(p peer.ID, o Offence) { b.NoteMany(p, o, 1) }

// NoteMany takes note of n offences of one kind.
func (b *Book) NoteMany(p peer.ID, o Offence, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(p, b.record(p, time.Now()), o, n, time.Now())
}

func (b *Book) note(p peer.ID, r *record, o Offence, n int, now time.Time) {
	if n <= 0 {
		return
	}
	r.points = r.pointsAt(now) + float64(n)*o.points()
	r.at = now
	r.counts[o] += n
	r.dirty = true
	if r.points >= BlockAt && r.blocked.IsZero() {
		r.blocked, r.expel = now.Add(BlockFor), true
		b.cfg.Log.Warn("member is cut off for what it sends", telemetry.KeyPeer, p, "conduct", sentence(r.counts, r.points, r.blocked))
	}
	select {
	case b.wake <- struct{}{}:
	default: // Run has not looked since the last time
	}
}

// Allow reports whether p may send so many messages of so many bytes together; if
// not, they are to be dropped, and count as a flood.
func (b *Book) Allow(p peer.ID, c Class, messages, bytes int) bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.record(p, now)
	if r.allow(c, messages, bytes, now) {
		return true
	}
	b.note(p, r, Flooded, messages, now)
	return false
}

// Useless takes note that p has sent a message that this node has known for long, or
// that nobody has a say in. That happens; only very many of them count against p.
func (b *Book) Useless(p peer.ID) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.record(p, now); !r.allow(UselessMessages, 1, 0, now) {
		b.note(p, r, Replayed, 1, now)
	}
}

func (r *record) allow(c Class, messages, bytes int, now time.Time) bool {
	if r.buckets[c] == nil {
		r.buckets[c] = newBucket(c.quota())
	}
	u := r.buckets[c]
	// A message that is refused for its bytes has been counted: it has come.
	return u.messages.AllowN(now, messages) && (u.bytes == nil || u.bytes.AllowN(now, bytes))
}

// Score is what gossip adds to its own score of p: 0 or less.
func (b *Book) Score(p peer.ID) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.peers[p]; r != nil {
		return -r.pointsAt(time.Now())
	}
	return 0
}

// Blocked reports whether p is cut off now.
func (b *Book) Blocked(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.peers[p]
	return r != nil && time.Now().Before(r.blocked)
}

// Sentence is what people should read of p; "" where nothing is wrong.
func (b *Book) Sentence(p peer.ID) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.peers[p]; r != nil {
		return sentence(r.counts, r.pointsAt(time.Now()), r.blocked)
	}
	return ""
}

func (r *record) pointsAt(now time.Time) float64 {
	return r.points * math.Exp2(-float64(now.Sub(r.at))/float64(HalfLife))
}

// record returns the record of p, made if there is none.
func (b *Book) record(p peer.ID, now time.Time) *record {
	r := b.peers[p]
	if r == nil {
		if len(b.peers) >= maxPeers {
			b.forget(now)
		}
		r = &record{at: now}
		b.peers[p] = r
	}
	r.used = now
	return r
}

// forget makes room: who has nothing against it and was quiet longest goes.
func (b *Book) forget(now time.Time) {
	var out peer.ID
	for p, r := range b.peers {
		o := b.peers[out]
		if o == nil || r.pointsAt(now) < o.pointsAt(now) || r.pointsAt(now) == o.pointsAt(now) && r.used.Before(o.used) {
			out = p
		}
	}
	delete(b.peers, out)
}
