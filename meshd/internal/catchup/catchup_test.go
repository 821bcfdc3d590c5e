package catchup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const other = api.PeerID("12D3KooWBPbrbCHYpCxcxWZ79GVp3GWLnQFR75BYmHiM1T8shm44")

func otherPeer(t testing.TB) peer.ID {
	t.Helper()
	p, err := peer.Decode(string(other))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ref(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }

// shelf is a ledger of envelopes that are JSON strings: "NAME SEQ".
type shelf struct {
	mu     sync.Mutex
	seqs   map[api.Ref]uint64
	broken error
}

func (s *shelf) Summary() (out []api.SyncEntry) {
	for r, seq := range s.seqs {
		out = append(out, api.SyncEntry{Ref: r, Seq: seq, Digest: api.Sum(nil)})
	}
	return out
}

func (s *shelf) Wanted(summary []api.SyncEntry) (out []api.Ref) {
	for _, e := range summary {
		if e.Seq > s.seqs[e.Ref] {
			out = append(out, e.Ref)
		}
	}
	return out
}

func (s *shelf) Envelope(_ context.Context, r api.Ref) ([]byte, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	if s.seqs[r] == 0 {
		return nil, intents.ErrNotFound
	}
	return fmt.Appendf(nil, "%q", fmt.Sprint(r.Name, " ", s.seqs[r])), nil
}

func (s *shelf) accept(_ context.Context, _ peer.ID, envelope []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text, name string
	var seq uint64
	if err := json.Unmarshal(envelope, &text); err != nil {
		return false, err
	}
	switch text {
	case "forged":
		return false, intent.ErrSignature
	case "old":
		return false, intents.ErrOlder
	}
	if _, err := fmt.Sscan(text, &name, &seq); err != nil {
		return false, errors.New("disk full")
	}
	s.seqs[ref(name)] = seq
	return true, nil
}

// voice is the facts of the other side.
type voice struct{ batch api.FactBatch }

func (v *voice) Full() api.FactBatch { v.batch.Seq++; return v.batch }
func (v *voice) Members(int) []api.PeerFact {
	return []api.PeerFact{{Peer: other, Addrs: []string{"/ip4/192.0.2.1/tcp/1"}}}
}

// newClient makes a client that asks handler, and accepts into s.
func newClient(t testing.TB, handler http.Handler, s *shelf) *Client {
	t.Helper()
	return &Client{
		HTTP: &http.Client{Transport: direct{handler}}, Ledger: s, Accept: s.accept,
		Merge: func(peer.ID, *api.FactBatch) error { return nil }, Met: func(api.PeerFact) {},
	}
}

// direct answers requests with a handler, without a network in between.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestFetchesWhatIsNews(t *testing.T) {
	theirs, ours := &shelf{seqs: map[api.Ref]uint64{}}, &shelf{seqs: map[api.Ref]uint64{ref("w5"): 9, ref("mine"): 1}}
	const n = api.MaxSyncFetch*2 + 10
	for i := range n {
		theirs.seqs[ref(fmt.Sprintf("w%d", i))] = 3
	}
	c := newClient(t, Handler(theirs, &voice{}), ours)
	news, err := c.Intents(t.Context(), otherPeer(t))
	if err != nil || news != n-1 || ours.seqs[ref("w5")] != 9 || len(ours.seqs) != n+1 {
		t.Errorf("%d intents are news, %v; want %d", news, err, n-1)
	}
	if news, err = c.Intents(t.Context(), otherPeer(t)); err != nil || news != 0 {
		t.Errorf("again: %d, %v; want none", news, err)
	}
}

// TestOtherSideIsNotTrusted has it send what it should not hold.
func TestOtherSideIsNotTrusted(t *testing.T) {
	lists := func(entries int, envelopes ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var s api.SyncSummary
			for i := range entries {
				s.Entries = append(s.Entries, api.SyncEntry{Ref: ref(fmt.Sprintf("w%d", i)), Seq: 1, Digest: api.Sum(nil)})
			}
			var reply any = s
			if r.Method == http.MethodPost {
				i := api.SyncIntents{Envelopes: []json.RawMessage{}}
				for _, e := range envelopes {
					i.Envelopes = append(i.Envelopes, json.RawMessage(fmt.Sprintf("%q", e)))
				}
				reply = i
			}
			_ = json.NewEncoder(w).Encode(reply)
		})
	}
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"entries":[`)
		_, _ = io.CopyN(w, spaces{}, api.MaxSyncBytes)
	})
	for name, c := range map[string]struct {
		handler http.Handler
		news    int
		want    error // nil: none
	}{
		"a forged one ends it":            {lists(3, "w1 1", "forged", "w2 1"), 1, intent.ErrSignature},
		"one overtaken by gossip is fine": {lists(3, "old", "w2 1"), 1, nil},
		"one that cannot be kept":         {lists(3, "w1 1", "", "w2 1"), 2, errUnkept},
		"it has not got what it lists":    {lists(300), 0, nil},
		"an endless answer":               {endless, 0, api.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			news, err := newClient(t, c.handler, &shelf{seqs: map[api.Ref]uint64{}}).Intents(t.Context(), otherPeer(t))
			if news != c.news || !errors.Is(err, c.want) {
				t.Errorf("%d, %v; want %d, %v", news, err, c.news, c.want)
			}
		})
	}
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestServerChecksRequests(t *testing.T) {
	full := &shelf{seqs: map[api.Ref]uint64{ref("web"): 1}}
	h := Handler(full, &voice{})
	for body, want := range map[string]int{
		`{"refs":[{"kind":"component","name":"web"},{"kind":"component","name":"none"}]}`: http.StatusOK,
		`{"refs":[]}`: http.StatusBadRequest,
		`{"refs":[{"kind":"component","name":"../web"}]}`: http.StatusBadRequest,
		`{"refs":[{"kind":"demon","name":"web"}]}`:        http.StatusBadRequest,
		"":                                http.StatusBadRequest,
		strings.Repeat(" ", maxRequest+1): http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/intents", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%.60s: %d %s; want %d", body, w.Code, w.Body, want)
		}
		var reply api.SyncIntents
		if want == http.StatusOK && (api.Decode(w.Body.Bytes(), api.MaxSyncBytes, &reply) != nil || len(reply.Envelopes) != 1) {
			t.Errorf("%.60s: %s; want one envelope", body, w.Body)
		}
	}
	full.broken = errors.New("the bus is away")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/intents", strings.NewReader(`{"refs":[{"kind":"component","name":"web"}]}`)))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a store: %d; want 503, not a lie", w.Code)
	}
}

func TestFactsThatGossipOvertakes(t *testing.T) {
	v := &voice{batch: api.FactBatch{Epoch: 1, Full: true}}
	c := newClient(t, Handler(&shelf{}, v), &shelf{})
	for _, c2 := range []struct {
		stale int
		asked uint64
	}{{0, 1}, {1, 2}, {9, factTries}} {
		v.batch.Seq = 0
		left := c2.stale
		c.Merge = func(peer.ID, *api.FactBatch) error {
			if left--; left >= 0 {
				return facts.ErrStale
			}
			return nil
		}
		if err := c.Facts(t.Context(), otherPeer(t)); err != nil || v.batch.Seq != c2.asked {
			t.Errorf("overtaken %d times: asked %d times, %v; want %d", c2.stale, v.batch.Seq, err, c2.asked)
		}
	}
}

func TestRunnerTriesAgain(t *testing.T) {
	theirs, ours := &shelf{seqs: map[api.Ref]uint64{ref("web"): 1}}, &shelf{seqs: map[api.Ref]uint64{}}
	served := Handler(theirs, &voice{batch: api.FactBatch{Epoch: 1}})
	var mu sync.Mutex
	failures := 2
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/intents" && failures > 0 {
			failures--
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		served.ServeHTTP(w, r)
	}), ours)
	var met []api.PeerID
	c.Met = func(f api.PeerFact) { met = append(met, f.Peer) }
	rounds := make(chan error, 10)
	p := otherPeer(t)
	r := NewRunner(c, func() []peer.ID { return []peer.ID{p} }, func(_ peer.ID, _ int, err error) { rounds <- err }, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for range 5 {
		r.Ask(p)
	}
	for i := range 3 {
		select {
		case err := <-rounds:
			if (err != nil) != (i < 2) {
				t.Errorf("round %d: %v", i, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no round %d", i)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if ours.seqs[ref("web")] != 1 || !slices.Contains(met, other) {
		t.Errorf("intents %v, met %v", ours.seqs, met)
	}
}

// FuzzRequest sends anything to the server.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"refs":[{"kind":"component","name":"web"}]}`))
	f.Add([]byte(`{"refs":null}`))
	h := Handler(&shelf{seqs: map[api.Ref]uint64{ref("web"): 1}}, &voice{})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/intents", bytes.NewReader(body)))
		var reply api.SyncIntents
		var e api.ErrorReply
		switch {
		case w.Code == http.StatusOK && api.Decode(w.Body.Bytes(), api.MaxSyncBytes, &reply) == nil:
		case w.Code == http.StatusBadRequest && api.Decode(w.Body.Bytes(), api.MaxMessage, &e) == nil:
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

// FuzzAnswer has a server answer everything with the same bytes.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"entries":[{"kind":"component","name":"web","seq":1,"digest":""}]}`))
	f.Add([]byte(`{"envelopes":["w 1",null,{}]}`))
	f.Add([]byte(`{"epoch":1,"seq":1,"full":true,"workloads":[]}`))
	f.Add([]byte(`{"peers":[{"peer":"` + string(other) + `","version":"","platform":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &shelf{seqs: map[api.Ref]uint64{}}
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }), s)
		c.Met = func(f api.PeerFact) {
			if err := f.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		c.Merge = func(_ peer.ID, b *api.FactBatch) error { return b.Validate() }
		p := otherPeer(t)
		// Errors are welcome; what matters is that nothing gets past the checks.
		_, _ = c.Intents(t.Context(), p)
		_ = c.Peers(t.Context(), p)
		if err := c.Facts(t.Context(), p); err == nil && !bytes.Contains(body, []byte("epoch")) {
			t.Fatalf("%s is taken for facts", body)
		}
	})
}
