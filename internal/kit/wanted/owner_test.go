package wanted

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// key is the private key number n: 0 is the node's, 1 the owner's first.
func key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func nameOf(k ed25519.PrivateKey) api.Name { return api.KeyName(keys.PublicOf(k).Key()) }

var (
	self  = key(0)
	owner = key(1)
	pin   = trust.NewPin(keys.PublicOf(owner))
)

// brokenMarks are marks on a disk that can be full.
type brokenMarks struct {
	*trust.Marks
	err  error
	puts int
}

func (m *brokenMarks) AdvanceAll(to map[intent.Slot]intent.Version) error {
	if m.err != nil {
		return m.err
	}
	if len(to) > 0 {
		m.puts++
	}
	return m.Marks.AdvanceAll(to)
}

// node is a Book with its marks on disk, the bucket that it is shown, and what it
// has said last of each workload.
type node struct {
	jobs map[api.Digest]Job // as the Book has said, by root
	testing.TB
	book  *Book
	marks *brokenMarks
	path  string
	pin   trust.Pin
	now   time.Time

	bucket map[string][]byte
	wants  map[api.Ref]Want
	last   map[api.Ref]intent.Signed // signed by anybody
	said   Change                    // what else the Book has said since this was cleared
}

func newNode(t testing.TB) *node {
	n := &node{TB: t, path: filepath.Join(t.TempDir(), "marks.log"), pin: pin, now: t0, bucket: map[string][]byte{}, last: map[api.Ref]intent.Signed{}}
	n.start()
	return n
}

// start makes the Book of a process that has just begun.
func (n *node) start() {
	n.Helper()
	m, err := trust.OpenMarks(n.path)
	n.check(err)
	n.Cleanup(func() { m.Close() })
	n.marks = &brokenMarks{Marks: m}
	n.wants, n.jobs = map[api.Ref]Want{}, map[api.Digest]Job{}
	n.book = New(Config{
		Pin: func() (trust.Pin, error) {
			if n.pin.Realm == "" {
				return trust.Pin{}, trust.ErrUnclaimed
			}
			return n.pin, nil
		},
		Marks: n.marks,
		Now:   func() time.Time { return n.now }, Log: slog.New(slog.DiscardHandler),
	})
}

// restart starts anew and shows all that the bucket holds, in several parts.
func (n *node) restart() {
	n.Helper()
	n.start()
	for k, v := range n.bucket {
		n.hear(n.book.Take([]Shown{{Key: k, Envelope: v}}, true))
	}
	n.hear(n.book.Take(nil, false))
}

func (n *node) check(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

func (n *node) hear(c Change, err error) {
	n.Helper()
	n.check(err)
	for _, w := range c.Wants {
		n.wants[w.Ref] = w
	}
	for _, j := range c.Jobs {
		n.jobs[j.Root] = j
	}
	n.said.Members = n.said.Members || c.Members
	n.said.Taken += c.Taken
}

// sign makes an intent by k; a nil body is a tombstone.
func (n *node) sign(k ed25519.PrivateKey, ref api.Ref, seq uint64, body any, change ...func(*api.Intent)) intent.Signed {
	n.Helper()
	in := api.Intent{Realm: pin.Realm, Ref: ref, Seq: seq, Issued: t0, Tombstone: body == nil}
	if seq > 1 {
		in.Prev = api.Sum([]byte("before"))
		if last := n.last[ref]; last.Seq == seq-1 {
			in.Prev = last.Digest
		}
	}
	if body != nil {
		b, err := json.Marshal(body)
		n.check(err)
		in.Body = b
	}
	for _, c := range change {
		c(&in)
	}
	s, err := intent.Sign(in, k)
	n.check(err)
	n.last[ref] = s
	return s
}

// show has the Book see intents, as meshd writes them.
func (n *node) show(all ...intent.Signed) {
	n.Helper()
	var batch []Shown
	for _, s := range all {
		n.bucket[s.Slot().Key()] = s.Envelope
		batch = append(batch, Shown{Key: s.Slot().Key(), Envelope: s.Envelope})
	}
	n.hear(n.book.Take(batch, false))
}

// hide removes what a signer has said from the bucket.
func (n *node) hide(s intent.Signed) {
	n.Helper()
	delete(n.bucket, s.Slot().Key())
	n.hear(n.book.Take([]Shown{{Key: s.Slot().Key(), Gone: true}}, false))
}

// wantIs checks what is wanted of ref: s, or nothing (the zero intent).
func (n *node) wantIs(ref api.Ref, s intent.Signed) {
	n.Helper()
	w := n.wants[ref]
	if s.Seq == 0 {
		if w.Seq != 0 && w.Lost == "" {
			n.Errorf("%s: number %d by %s is wanted, and nothing should be", ref, w.Seq, w.Signer)
		}
		return
	}
	if w.Digest != s.Digest || w.Lost != "" {
		n.Errorf("%s: number %d by %s is wanted (%s), and number %d by %s should be", ref, w.Seq, w.Signer, w.Lost, s.Seq, s.Signer)
	}
}

func function(v byte) *api.Function {
	return &api.Function{Module: api.Program{Blob: api.Sum([]byte{v}), Size: 1}}
}

func grantFor(k ed25519.PrivateKey) api.Ref { return api.Ref{Kind: api.KindGrant, Name: nameOf(k)} }

func member(k ed25519.PrivateKey) api.Ref { return api.Ref{Kind: api.KindMember, Name: nameOf(k)} }

func grant(prefix string) api.Grant {
	return api.Grant{May: []api.Right{api.RightPush}, Prefix: prefix, Since: t0}
}

// rotate hands the realm over from old to next.
func (n *node) rotate(old, next ed25519.PrivateKey, seq uint64) intent.Signed {
	n.Helper()
	proof := ed25519.Sign(next, api.RotationProof(pin.Realm, seq, keys.PublicOf(old).Key()))
	return n.sign(old, api.Ref{Kind: api.KindRotate, Name: api.NameOwner}, seq, api.Rotation{Key: nameOf(next), Proof: proof})
}

var (
	double = api.Ref{Kind: api.KindFunction, Name: "double"}
	triple = api.Ref{Kind: api.KindFunction, Name: "triple"}
)

var errDisk = errors.New("no space left on the disk")
