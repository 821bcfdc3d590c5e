package catchup

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func post(h http.Handler, from, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = from
	h.ServeHTTP(w, r)
	return w
}

func TestServerChecksRequests(t *testing.T) {
	r := meshtest.NewRealm(t)
	s := r.Component(t, "web", 1)
	h := newShelf(r.Pin, s).handler()
	from := peerOf(1).String()
	unknown := api.Sum(nil).String()
	for _, c := range []struct {
		from, path, body string
		want             int
	}{
		{from, "/intents/fetch", `{"digests":["` + s.Digest.String() + `","` + unknown + `"]}`, http.StatusOK},
		{from, "/intents/fetch", `{"digests":[]}`, http.StatusBadRequest},
		{from, "/intents/fetch", `{"digests":["` + unknown + strings.Repeat(`","`+unknown, api.MaxSyncFetch) + `"]}`, http.StatusBadRequest},
		{from, "/intents/fetch", `{"digests":["../web"]}`, http.StatusBadRequest},
		{from, "/intents/fetch", "", http.StatusBadRequest},
		{from, "/intents/fetch", strings.Repeat(" ", maxRequest+1), http.StatusBadRequest},
		{from, "/intents/entries", `{"buckets":[0,1,255]}`, http.StatusOK},
		{from, "/intents/entries", `{"buckets":[256]}`, http.StatusBadRequest},
		{from, "/intents/entries", `{"buckets":[-1]}`, http.StatusBadRequest},
		{from, "/intents/entries", `{"buckets":[]}`, http.StatusBadRequest},
		{from, "/intents", "", http.StatusMethodNotAllowed},
		{from, "/", "", http.StatusNotFound},
		{"192.0.2.1:1", "/intents/entries", `{"buckets":[0]}`, http.StatusForbidden},
	} {
		w := post(h, c.from, c.path, c.body)
		if w.Code != c.want {
			t.Errorf("%s %.60s: %d %.200s; want %d", c.path, c.body, w.Code, w.Body, c.want)
		}
		var reply api.SyncIntents
		if c.path == "/intents/fetch" && c.want == http.StatusOK && (api.Decode(w.Body.Bytes(), api.MaxFetchBytes, &reply) != nil || len(reply.Envelopes) != 1) {
			t.Errorf("%.60s: %s; want one envelope", c.body, w.Body)
		}
	}
}

// TestSlowRequest sends a request that never ends. The server does not wait for it.
func TestSlowRequest(t *testing.T) {
	r := meshtest.NewRealm(t)
	h := newShelf(r.Pin).handler()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		answered := make(chan error, 1)
		done := make(chan struct{})
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			req.RemoteAddr = peerOf(1).String()
			h.ServeHTTP(w, req)
			close(done)
		}), ReadHeaderTimeout: time.Minute}
		go func() { answered <- srv.Serve(&oneConn{conn: server, closed: make(chan struct{})}) }()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		start := time.Now()
		if _, err := io.WriteString(client, "POST /intents/fetch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		<-done
		if took := time.Since(start); took != readWithin {
			t.Errorf("the server has waited for %v", took)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-answered; err == nil {
			t.Error("the server ended without a reason")
		}
		client.Close()
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

func TestFactsThatGossipOvertakes(t *testing.T) {
	r := meshtest.NewRealm(t)
	v := &voice{batch: api.FactBatch{Epoch: 1, Full: true}}
	us := newShelf(r.Pin)
	c := us.client((&Server{Ledger: us.Ledger, Facts: v, Conduct: us.conduct, Now: time.Now}).Handler())
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
		if err := c.Facts(t.Context(), peerOf(1)); err != nil || v.batch.Seq != c2.asked {
			t.Errorf("overtaken %d times: asked %d times, %v; want %d", c2.stale, v.batch.Seq, err, c2.asked)
		}
	}
}

// TestSkew has a member whose clock is off.
func TestSkew(t *testing.T) {
	r := meshtest.NewRealm(t)
	us := newShelf(r.Pin)
	for _, off := range []time.Duration{0, time.Hour, -48 * time.Hour} {
		c := us.client((&Server{Ledger: us.Ledger, Facts: &voice{}, Conduct: us.conduct, Now: func() time.Time { return time.Now().Add(off) }}).Handler())
		var got time.Duration
		c.Skew = func(_ peer.ID, d time.Duration) { got = d }
		if _, err := c.Intents(t.Context(), peerOf(1)); err != nil {
			t.Fatal(err)
		}
		if (got - off).Abs() > 5*time.Second {
			t.Errorf("a clock that is off by %v seems to be off by %v", off, got)
		}
	}
}

// FuzzRequest sends anything to the server.
func FuzzRequest(f *testing.F) {
	r := meshtest.NewRealm(f)
	s := r.Component(f, "web", 1)
	for _, b := range []string{`{"digests":["` + s.Digest.String() + `"]}`, `{"buckets":[0,255]}`, `{"digests":null}`, `{}`, ``} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := newShelf(r.Pin, s).handler()
		for _, path := range []string{"/intents/fetch", "/intents/entries"} {
			w := post(h, peerOf(1).String(), path, string(body))
			var e api.ErrorReply
			switch {
			case w.Code == http.StatusOK:
			case w.Code == http.StatusBadRequest && api.Decode(w.Body.Bytes(), api.MaxMessage, &e) == nil:
			default:
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
	})
}

// FuzzAnswer has a server answer everything with the same bytes, after its digests.
func FuzzAnswer(f *testing.F) {
	r := meshtest.NewRealm(f)
	s := r.Component(f, "web", 1)
	for _, v := range []any{
		api.SyncEntries{Entries: []api.SyncEntry{{Ref: s.Ref, Signer: s.By(), Seq: 1, Digest: s.Digest}}},
		map[string]any{"envelopes": []any{1, "x", map[string]any{}}},
		api.FactBatch{Epoch: 1, Seq: 1, Full: true},
		api.PeerList{Peers: []api.PeerFact{{Peer: api.PeerID(peerOf(1).String())}}},
		newShelf(r.Pin, s).Digests(),
	} {
		f.Add(encode(v))
	}
	digests := encode(newShelf(r.Pin, s).Digests())
	f.Fuzz(func(t *testing.T, body []byte) {
		us := newShelf(r.Pin)
		c := us.client(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method+" "+req.URL.Path == api.RouteSyncDigests && !bytes.Contains(body, []byte("buckets")) {
				_, _ = w.Write(digests)
				return
			}
			_, _ = w.Write(body)
		}))
		c.Met = func(f api.PeerFact) {
			if err := f.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		c.Merge = func(_ peer.ID, b *api.FactBatch) error { return b.Validate() }
		// Errors are welcome; what matters is that nothing gets past the checks.
		_, _ = c.Intents(t.Context(), peerOf(1))
		_ = c.Peers(t.Context(), peerOf(1))
		if err := c.Facts(t.Context(), peerOf(1)); err == nil && !bytes.Contains(body, []byte("epoch")) {
			t.Fatalf("%s is taken for facts", body)
		}
		if us.Len() != 0 {
			t.Fatal("something has come in")
		}
	})
}
