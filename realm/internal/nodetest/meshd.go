package nodetest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Meshd plays the part of meshd that keeps a node's ledger: it takes intents in by
// the same rules, shows the bus what counts, and answers what has been signed. It
// has no others to tell.
type Meshd struct {
	T    testing.TB
	Conn *bus.Conn // as meshd
	Pin  trust.Pin
	Page int // members on a page; 0: as many as fit
	// Status is what the node says of itself.
	Status api.MeshStatus
	// Before, when set, runs once, ahead of the next submission.
	Before func()
	// Refuse, when set, says why a submission is not taken.
	Refuse func(intent.Signed) error
	// After, when set, runs after each submission that was accepted.
	After func(intent.Signed)
	// Gone are the blobs that no member has.
	Gone map[api.Digest]bool
	// Unwell, when set, is the answer to whoever asks on the socket.
	Unwell error
	// Lose, when set, says of which accepted submissions the answer is lost once.
	Lose func(intent.Signed) bool

	mu      sync.Mutex
	ledger  *ledger.Ledger
	pending []api.Member
	touched map[ledger.Slot]bool // what the bus may not show yet

	showing sync.Mutex // held while the bus is written
	shown   map[ledger.Slot]api.Digest
}

// Serve answers the command line.
func (m *Meshd) Serve() {
	Handle(m.T, m.Conn, api.SubjectSubmit, m.Submit)
	Handle(m.T, m.Conn, api.SubjectBatch, m.SubmitBatch)
	Handle(m.T, m.Conn, api.SubjectMesh, func([]byte) (any, error) { return m.Status, nil })
	Handle(m.T, m.Conn, api.SubjectHistory, func(b []byte) (any, error) {
		var r api.HistoryRequest
		if err := api.Decode(b, api.MaxMessage, &r); err != nil {
			return nil, err
		}
		return m.history(r.Ref), nil
	})
	Handle(m.T, m.Conn, api.SubjectProviders, func(b []byte) (any, error) {
		var r api.ProvidersRequest
		err := api.Decode(b, api.MaxMessage, &r)
		if err != nil || m.Gone[r.Blob] {
			return api.ProvidersReply{Peers: []api.PeerID{}}, err
		}
		return api.ProvidersReply{Peers: []api.PeerID{m.Status.Peer}}, nil
	})
	Handle(m.T, m.Conn, api.SubjectMembers, func(b []byte) (any, error) {
		var r api.MembersRequest
		if err := api.Decode(b, api.MaxMessage, &r); err != nil {
			return nil, err
		}
		return m.members(r.After), nil
	})
}

// Answer adds to mux what is asked on meshd's socket.
func (m *Meshd) Answer(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteReferences, func(w http.ResponseWriter, _ *http.Request) {
		if m.Unwell != nil {
			local.WriteError(w, http.StatusInternalServerError, m.Unwell)
			return
		}
		all, _ := m.Ledger().References(time.Now())
		lines(w, all)
	})
}

// Ledger is what the node holds.
func (m *Meshd) Ledger() *ledger.Ledger {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ledger == nil {
		m.ledger, m.touched, m.shown = ledger.New(m.Pin), map[ledger.Slot]bool{}, map[ledger.Slot]api.Digest{}
	}
	return m.ledger
}

// Submit answers [api.SubjectSubmit].
func (m *Meshd) Submit(b []byte) (any, error) {
	m.before()
	in, err := read(b)
	if err == nil {
		err = m.accept(in)
	}
	return api.SubmitReply{Digest: in.Digest}, err
}

// SubmitBatch answers [api.SubjectBatch].
func (m *Meshd) SubmitBatch(b []byte) (any, error) {
	m.before()
	var batch api.SubmitBatch
	if err := api.Decode(b, api.MaxMessage, &batch); err != nil {
		return nil, err
	}
	var all []intent.Signed
	var reply api.SubmitBatchReply
	for _, e := range batch.Envelopes {
		in, err := read(e)
		if err != nil {
			return nil, err
		}
		all, reply.Digests = append(all, in), append(reply.Digests, in.Digest)
	}
	return reply, m.accept(all...)
}

// before runs what a test has asked for, once.
func (m *Meshd) before() {
	m.mu.Lock()
	before := m.Before
	m.Before = nil
	m.mu.Unlock()
	if before != nil {
		before()
	}
}

func read(envelope []byte) (intent.Signed, error) {
	in, err := intent.Read(envelope)
	if err == nil {
		err = in.Validate()
	}
	return in, err
}

// accept takes in what a person has just signed: all of it, or nothing.
func (m *Meshd) accept(all ...intent.Signed) error {
	if err := m.take(all); err != nil {
		return err
	}
	if err := m.show(); err != nil {
		return err
	}
	for _, in := range all {
		if m.Lose != nil && m.Lose(in) {
			return fmt.Errorf("the answer about %s is lost", in.Ref)
		}
	}
	for _, in := range all {
		if m.After != nil {
			m.After(in)
		}
	}
	return nil
}

func (m *Meshd) take(all []intent.Signed) error {
	l, now := m.Ledger(), time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range all {
		if err := m.check(l, in, now); err != nil {
			return err
		}
	}
	for _, in := range all {
		c, err := l.Add(in, now)
		m.touch(c)
		if err != nil {
			return err
		}
	}
	return nil
}

// check says why in is not taken.
func (m *Meshd) check(l *ledger.Ledger, in intent.Signed, now time.Time) error {
	if _, held := l.Held(in.Digest); held {
		return nil
	}
	if m.Refuse != nil {
		if err := m.Refuse(in); err != nil {
			return err
		}
	}
	if err := l.Fresh(in, now); err != nil {
		return err
	}
	if seq, prev := l.Next(in.Ref, now); !in.Kind.Trust() && (seq != in.Seq || prev != in.Prev) {
		return fmt.Errorf("%s: somebody has signed number %d meanwhile", in.Ref, seq-1)
	}
	_, err := l.Check(in, now)
	if err != nil && len(in.Grant) > 0 && ledger.MayGrant(err) {
		return nil // the grant that came with it may say otherwise
	}
	return err
}

func (m *Meshd) touch(c ledger.Change) {
	for _, s := range append(c.Added, c.Dropped...) {
		m.touched[ledger.Slot{Ref: s.Ref, Signer: s.Signer}] = true
	}
}

// Take adds what others have signed, as if it had come from another member.
func (m *Meshd) Take(all ...intent.Signed) {
	m.T.Helper()
	l := m.Ledger()
	m.mu.Lock()
	c, errs := l.AddAll(all, time.Now())
	m.touch(c)
	m.mu.Unlock()
	for _, err := range append(errs, m.show()) {
		if err != nil {
			m.T.Errorf("take: %v", err)
		}
	}
}

// show has the bus show what counts, of all that has come since it was done last:
// those who come while it is done wait, and are shown together.
func (m *Meshd) show() error {
	m.showing.Lock()
	defer m.showing.Unlock()
	m.mu.Lock()
	touched := m.touched
	m.touched = map[ledger.Slot]bool{}
	m.mu.Unlock()
	puts, deletes := map[string][]byte{}, []string{}
	for slot := range touched {
		top, ok := m.ledger.Top(slot, time.Now())
		switch {
		case !ok && m.shown[slot] != api.Digest{}:
			deletes = append(deletes, slot.Key())
		case ok && m.shown[slot] != top.Digest:
			puts[slot.Key()] = top.Envelope
		}
		m.shown[slot] = top.Digest
	}
	b, err := m.Conn.Bucket(Context(m.T), api.BucketIntents)
	if err != nil {
		return err
	}
	return b.Apply(Context(m.T), puts, deletes)
}

// Knock has nodes wait to be admitted.
func (m *Meshd) Knock(waiting ...api.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = append(m.pending, waiting...)
}

func (m *Meshd) history(ref api.Ref) api.HistoryReply {
	l := m.Ledger()
	comments := map[api.Name]string{}
	for _, g := range l.Grants() {
		comments[g.Key] = g.Comment
	}
	r := api.HistoryReply{Versions: []api.Version{}}
	for _, v := range l.History(ref, time.Now()) {
		w := api.Version{Intent: v.Intent, Digest: v.Digest, Signer: v.By(), By: comments[v.By()], State: v.State}
		if v.Owner {
			w.By = "owner"
		}
		r.Versions = append(r.Versions, w)
	}
	return r
}

func (m *Meshd) members(after api.PeerID) api.MembersReply {
	l, now := m.Ledger(), time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := l.Members(now)
	known := map[api.PeerID]bool{}
	for _, v := range all {
		known[v.Peer] = v.Standing == api.StandingMember
	}
	for _, p := range m.pending {
		if !known[p.Peer] {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b api.Member) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	var r api.MembersReply
	if after == "" {
		r.Invites, r.Grants = l.Invites(now), l.Grants()
	}
	page := m.Page
	if page == 0 {
		page = api.MaxMembers
	}
	for _, v := range all {
		if strings.Compare(string(v.Peer), string(after)) <= 0 {
			continue
		}
		if len(r.Members) == page {
			r.More = true
			break
		}
		r.Members = append(r.Members, v)
	}
	return r
}
