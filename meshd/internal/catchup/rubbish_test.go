package catchup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// liar answers like its server, and serves extra besides. It breaks the signature
// of forged, and adds what nobody has asked for.
type liar struct {
	http.Handler
	extra  []intent.Signed
	forged api.Digest
	gift   intent.Signed
	asked  []api.Digest // by fetches
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	l.Handler.ServeHTTP(rec, r)
	out := rec.Body.Bytes()
	switch r.Method + " " + r.URL.Path {
	case api.RouteSyncDigests:
		var d api.SyncDigests
		_ = json.Unmarshal(out, &d) // of our own server
		for _, s := range l.extra {
			d.Buckets[s.Digest[0]][1] ^= 0xff
		}
		out = encode(d)
	case api.RouteSyncEntries:
		var e api.SyncEntries
		_ = json.Unmarshal(out, &e)
		for _, s := range l.extra {
			e.Entries = append(e.Entries, api.SyncEntry{Ref: s.Ref, Signer: s.By(), Seq: s.Seq, Digest: s.Digest})
		}
		out = encode(e)
	case api.RouteSyncFetch:
		var req api.SyncFetch
		var i api.SyncIntents
		_, _ = json.Unmarshal(body, &req), json.Unmarshal(out, &i)
		l.asked = append(l.asked, req.Digests...)
		for _, s := range l.extra {
			if !slices.Contains(req.Digests, s.Digest) {
				continue
			}
			env := s.Envelope
			if s.Digest == l.forged {
				env = bytes.Replace(env, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)
			}
			i.Envelopes = append(i.Envelopes, env)
		}
		if l.gift.Envelope != nil {
			i.Envelopes = append(i.Envelopes, l.gift.Envelope)
		}
		out = encode(i)
	}
	_, _ = w.Write(out)
}

// TestRubbish has a member serve things that it should not hold, between good ones.
func TestRubbish(t *testing.T) {
	r, other := meshtest.NewRealm(t), meshtest.NewRealm(t)
	good := many(t, r, 40)
	key := meshtest.Key(t)
	stranger, foreign := r.ComponentBy(t, key, "stranger", 1), other.Component(t, "foreign", 1)
	forged, gift := r.Component(t, "forged", 1), r.Component(t, "gift", 1)
	served := &liar{Handler: newShelf(r.Pin, good...).handler(), extra: []intent.Signed{stranger, foreign, forged}, forged: forged.Digest, gift: gift}
	us := newShelf(r.Pin)
	c := us.client(served)
	news, err := c.Intents(t.Context(), peerOf(1))
	if news != len(good) || !errors.Is(err, errGarbage) {
		t.Errorf("%d are news, %v; want %d, and a complaint", news, err, len(good))
	}
	if _, held := us.Held(gift.Digest); held {
		t.Error("what nobody has asked for was taken")
	}
	if s := us.conduct.Sentence(peerOf(1)); !strings.Contains(s, "forged") || !strings.Contains(s, "garbage") {
		t.Errorf("people read %q", s)
	}
	served.asked = nil
	if _, err := c.Intents(t.Context(), peerOf(1)); !errors.Is(err, errGarbage) || !slices.Equal(served.asked, []api.Digest{forged.Digest}) {
		t.Errorf("%d are fetched again, %v; want the one that may come well another time", len(served.asked), err)
	}
	// Another member has the same: what this one has served badly is asked of it.
	if _, err := c.Intents(t.Context(), peerOf(2)); !errors.Is(err, errGarbage) || !slices.Contains(served.asked, stranger.Digest) {
		t.Errorf("another member was not asked: %v", err)
	}
	// The stranger gets a say.
	if _, errs := c.Accept("", []intent.Signed{r.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	if news, _ := c.Intents(t.Context(), peerOf(1)); news != 1 {
		t.Errorf("%d are news when the stranger has a say", news)
	}
}

// TestBrokenAnswers has a member answer with something else.
func TestBrokenAnswers(t *testing.T) {
	r := meshtest.NewRealm(t)
	var parts api.SyncDigests
	parts.Buckets = make([]api.Digest, api.SyncBuckets)
	for i := range parts.Buckets {
		parts.Buckets[i] = api.Sum([]byte{byte(i)})
	}
	listed := api.SyncEntries{}
	for _, s := range many(t, r, 20) {
		listed.Entries = append(listed.Entries, api.SyncEntry{Ref: s.Ref, Signer: s.By(), Seq: 1, Digest: s.Digest})
	}
	answers := func(digests, entries, fetch any) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			out := map[string]any{api.RouteSyncDigests: digests, api.RouteSyncEntries: entries, api.RouteSyncFetch: fetch}[req.Method+" "+req.URL.Path]
			if fn, ok := out.(func(http.ResponseWriter)); ok {
				fn(w)
				return
			}
			_, _ = w.Write(encode(out))
		})
	}
	endless := func(w http.ResponseWriter) { _, _ = io.CopyN(w, spaces{}, api.MaxSyncBytes+1) }
	cut := func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"count":`) }
	for name, c := range map[string]struct {
		handler http.Handler
		garbage bool
		err     bool
	}{
		"too few parts":         {answers(api.SyncDigests{}, nil, nil), true, true},
		"cut short":             {answers(cut, nil, nil), true, true},
		"an endless answer":     {answers(endless, nil, nil), true, true},
		"endless entries":       {answers(parts, endless, nil), true, true},
		"an entry of nothing":   {answers(parts, map[string]any{"entries": []any{map[string]any{}}}, nil), true, true},
		"entries that it lacks": {answers(parts, listed, api.SyncIntents{Envelopes: []json.RawMessage{}}), true, true},
		"envelopes of nothing":  {answers(parts, listed, api.SyncIntents{Envelopes: []json.RawMessage{[]byte("{}"), []byte("1")}}), true, true},
		"nothing at all":        {answers(parts, api.SyncEntries{Entries: []api.SyncEntry{}}, nil), false, false},
		"busy":                  {answers(func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, nil, nil), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			us := newShelf(r.Pin)
			news, err := us.client(c.handler).Intents(t.Context(), peerOf(1))
			if news != 0 || (err != nil) != c.err || errors.Is(err, errGarbage) != c.garbage {
				t.Errorf("%d, %v", news, err)
			}
			if blamed := us.conduct.Score(peerOf(1)) < 0; blamed != c.garbage {
				t.Errorf("blamed: %v, %q", blamed, us.conduct.Sentence(peerOf(1)))
			}
		})
	}
}

// TestNewerMembers has a member of a newer version say more of itself and of others than
// this version knows: that is no offence.
func TestNewerMembers(t *testing.T) {
	r := meshtest.NewRealm(t)
	us := newShelf(r.Pin)
	fact := fmt.Sprintf(`{"peer":%q,"mood":"good","down":["casd","jobd"]}`, peerOf(1).String())
	c := us.client(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method+" "+req.URL.Path == api.RouteSyncPeers {
			fmt.Fprintf(w, `{"peers":[%s],"weather":"fine"}`, fact)
			return
		}
		fmt.Fprintf(w, `{"epoch":1,"seq":1,"peer":%s,"workloads":[],"full":true,"weather":"fine"}`, fact)
	}))
	var told, met api.PeerFact
	c.Merge = func(_ peer.ID, b *api.FactBatch) error { told = *b.Peer; return nil }
	c.Met = func(f api.PeerFact) { met = f }
	if err := errors.Join(c.Facts(t.Context(), peerOf(1)), c.Peers(t.Context(), peerOf(1))); err != nil {
		t.Error(err)
	}
	if !told.IsDown(api.Casd) || !met.IsDown(api.Casd) || us.conduct.Score(peerOf(1)) < 0 {
		t.Errorf("told %+v, met %+v, %q", told, met, us.conduct.Sentence(peerOf(1)))
	}
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// TestLargeIntents need more answers than their number says.
func TestLargeIntents(t *testing.T) {
	r := meshtest.NewRealm(t)
	theirs, us := newShelf(r.Pin), newShelf(r.Pin)
	const n = 850
	large := api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 7}, Args: []string{strings.Repeat("y", 15<<10)}}
	for i := range n {
		s := r.Sign(t, r.Key, api.Intent{Ref: meshtest.Ref(fmt.Sprintf("w%d", i)), Seq: 1}, large)
		if _, err := theirs.Add(s, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	served := &liar{Handler: theirs.handler()}
	news, err := us.client(served).Intents(t.Context(), peerOf(1))
	if err != nil || news != theirs.Len() {
		t.Errorf("%d of %d, %v", news, theirs.Len(), err)
	}
	if len(served.asked) <= n {
		t.Errorf("%d were asked for, %d of which fit into one answer", len(served.asked), n)
	}
}

// TestDiskThatFails stops at once, and blames nobody.
func TestDiskThatFails(t *testing.T) {
	r := meshtest.NewRealm(t)
	theirs, us := newShelf(r.Pin, many(t, r, 30)...), newShelf(r.Pin)
	us.breakDisk(errors.New("disk full"))
	c := us.client(theirs.handler())
	if news, err := c.Intents(t.Context(), peerOf(1)); news != 0 || !errors.Is(err, errUnkept) || !errors.Is(err, us.broken()) {
		t.Errorf("%d, %v", news, err)
	}
	if us.conduct.Score(peerOf(1)) != 0 {
		t.Error("the other side is blamed")
	}
	us.breakDisk(nil)
	if news, err := c.Intents(t.Context(), peerOf(1)); news != 30 || err != nil {
		t.Errorf("with room again: %d, %v", news, err)
	}
	us.breakDisk(ledger.ErrFull)
	theirs.AddAll([]intent.Signed{r.Component(t, "more", 1)}, time.Now())
	if _, err := c.Intents(t.Context(), peerOf(1)); !errors.Is(err, errUnkept) {
		t.Errorf("with a full set: %v", err)
	}
}
