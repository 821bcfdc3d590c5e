package claim

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node waits for an owner.
type node struct {
	*p2p.Host
	key   ed25519.PrivateKey
	desk  *Desk
	files Files
}

func newNode(t *testing.T, window time.Duration) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{key: meshtest.Key(t), files: Files{Pin: filepath.Join(dir, "trust.json"), Membership: filepath.Join(dir, "membership.json"), Book: filepath.Join(dir, "peers.json")}}
	n.desk = NewDesk(n.key, n.files, window, meshtest.Log())
	var err error
	n.Host, err = p2p.New(p2p.Config{Key: n.key, Version: "test", Judge: n.desk.Judge, GuestProtocols: []protocol.ID{api.ProtocolClaim}})
	if err != nil {
		t.Fatal(err)
	}
	server := Listen(n, n.desk, meshtest.Log())
	meshtest.Listen(t, n.Host)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, n.Close()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) addr() string { return p2p.PasteAddrs(n.Host)[0] }

// request claims n for r, with a code.
func (n *node) request(t *testing.T, r *meshtest.Realm, code string) *api.ClaimNode {
	t.Helper()
	r.Admit(t, n.key)
	member := fmt.Sprintf("/ip4/192.0.2.1/udp/4001/quic-v1/p2p/%s", meshtest.ID(meshtest.Key(t)))
	return &api.ClaimNode{Addr: n.addr(), ClaimRequest: api.ClaimRequest{Code: code, Realm: r.Pin.Realm, Owner: meshtest.Name(r.Key), Proof: r.Proof(n.key), Addrs: []string{member}}}
}

func (n *node) follows(t *testing.T) trust.Pin {
	t.Helper()
	pin, err := trust.ReadPin(n.files.Pin)
	if err != nil && !errors.Is(err, trust.ErrUnclaimed) {
		t.Fatal(err)
	}
	return pin
}

func TestClaim(t *testing.T) {
	r, n := meshtest.NewRealm(t), newNode(t, time.Minute)
	p := n.desk.Pairing()
	if p == nil || time.Until(p.Until) > time.Minute || time.Until(p.Until) < 50*time.Second {
		t.Fatalf("pairing is %+v", p)
	}
	typed := strings.ToLower(strings.ReplaceAll(p.Code, "-", " ")) // as a person does
	if err := Send(t.Context(), n.request(t, r, typed), "test"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.desk.Claimed():
	default:
		t.Error("it is not claimed")
	}
	if got := n.follows(t); got != r.Pin {
		t.Errorf("it follows %+v", got)
	}
	if got, err := trust.ReadMembership(n.files.Membership); err != nil || got.Realm != r.Pin.Realm || len(got.Intents) != 1 {
		t.Errorf("its membership is %+v, %v", got, err)
	}
	if book, err := os.ReadFile(n.files.Book); err != nil || !strings.Contains(string(book), "/ip4/192.0.2.1/udp/4001/quic-v1") {
		t.Errorf("it knows %s, %v", book, err)
	}
	// Once.
	other := meshtest.NewRealm(t)
	if err := Send(t.Context(), n.request(t, other, p.Code), "test"); err == nil || n.follows(t) != r.Pin {
		t.Errorf("again: %v; it follows %+v", err, n.follows(t))
	}
	if n.desk.Pairing() != nil {
		t.Error("it goes on to wait")
	}
}

// TestAtOnce has several people know the code.
func TestAtOnce(t *testing.T) {
	n := newNode(t, time.Minute)
	code := n.desk.Pairing().Code
	var all sync.WaitGroup
	var mu sync.Mutex
	won := map[api.RealmID]bool{}
	for range 4 {
		r := meshtest.NewRealm(t)
		req := n.request(t, r, code)
		all.Go(func() {
			if Send(t.Context(), req, "test") == nil {
				mu.Lock()
				defer mu.Unlock()
				won[r.Pin.Realm] = true
			}
		})
	}
	all.Wait()
	if len(won) != 1 || !won[n.follows(t).Realm] {
		t.Errorf("won by %v; it follows %+v", won, n.follows(t))
	}
}

func TestWrongCodes(t *testing.T) {
	r, n := meshtest.NewRealm(t), newNode(t, time.Minute)
	code := n.desk.Pairing().Code
	for i := range MaxWrong + 1 {
		err := Send(t.Context(), n.request(t, r, "AAAAA-AAAAA"), "test")
		if err == nil || i < MaxWrong && !strings.Contains(err.Error(), "code") {
			t.Errorf("wrong code %d: %v", i, err)
		}
	}
	if err := Send(t.Context(), n.request(t, r, code), "test"); err == nil || n.follows(t) != (trust.Pin{}) {
		t.Errorf("the right code after that: %v", err)
	}
	if n.desk.Pairing() != nil {
		t.Error("it goes on to wait")
	}
}

func TestTooLate(t *testing.T) {
	r, n := meshtest.NewRealm(t), newNode(t, 300*time.Millisecond)
	req := n.request(t, r, n.desk.Pairing().Code)
	time.Sleep(350 * time.Millisecond)
	if err := Send(t.Context(), req, "test"); err == nil || !strings.Contains(err.Error(), "--tofu") || n.follows(t) != (trust.Pin{}) {
		t.Errorf("after its time: %v", err)
	}
	if _, err := n.desk.claim(&req.ClaimRequest); !errors.Is(err, errLate) { // over a connection from before
		t.Errorf("after its time: %v", err)
	}
}

// TestBadClaims know the code, and say nothing that a node could follow.
func TestBadClaims(t *testing.T) {
	r, other, n := meshtest.NewRealm(t), meshtest.NewRealm(t), newNode(t, time.Minute)
	code := n.desk.Pairing().Code
	for name, spoil := range map[string]func(*api.ClaimRequest){
		"no membership":    func(c *api.ClaimRequest) { c.Proof.Intents = nil },
		"of another node":  func(c *api.ClaimRequest) { k := meshtest.Key(t); r.Admit(t, k); c.Proof = r.Proof(k) },
		"by somebody else": func(c *api.ClaimRequest) { c.Owner = meshtest.Name(other.Key) },
		"another realm":    func(c *api.ClaimRequest) { c.Realm = other.Pin.Realm },
		"of another realm": func(c *api.ClaimRequest) {
			other.Admit(t, n.key)
			c.Proof = other.Proof(n.key)
			c.Realm = other.Pin.Realm
		},
		"a client's": func(c *api.ClaimRequest) {
			c.Proof.Intents = [][]byte{r.Client(t, n.key, time.Now().Add(time.Hour)).Envelope}
		},
		"rubbish": func(c *api.ClaimRequest) { c.Proof.Intents = [][]byte{[]byte("x")} },
	} {
		req := n.request(t, r, code)
		spoil(&req.ClaimRequest)
		if err := Send(t.Context(), req, "test"); err == nil || n.follows(t) != (trust.Pin{}) {
			t.Errorf("%s: %v; it follows %+v", name, err, n.follows(t))
		}
	}
	if n.desk.Pairing() == nil {
		t.Error("they have ended the pairing")
	}
	for _, path := range []string{n.files.Membership, n.files.Pin} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was written", path)
		}
	}
}

// TestConfiguredMeanwhile has somebody else have said whom to follow.
func TestConfiguredMeanwhile(t *testing.T) {
	r, other, n := meshtest.NewRealm(t), meshtest.NewRealm(t), newNode(t, time.Minute)
	if err := other.Pin.Write(n.files.Pin); err != nil {
		t.Fatal(err)
	}
	err := Send(t.Context(), n.request(t, r, n.desk.Pairing().Code), "test")
	if err == nil || !strings.Contains(err.Error(), "realm reset") || n.follows(t) != other.Pin {
		t.Errorf("%v; it follows %+v", err, n.follows(t))
	}
}

// TestNothingElse has a caller try other protocols at a node that waits, and claims at
// a node that does not.
func TestNothingElse(t *testing.T) {
	n := newNode(t, time.Minute)
	caller, err := p2p.New(p2p.Config{Key: meshtest.Key(t), Version: "test", Judge: func(peer.ID, []byte) p2p.Standing { return p2p.Member }})
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	if err := caller.Connect(t.Context(), meshtest.Info(n)); err != nil {
		t.Fatal(err)
	}
	for _, id := range []protocol.ID{identify.ID, identify.IDPush, ping.ID, "/realm/x/sync/1"} {
		ctx, cancel := context.WithTimeout(network.WithNoDial(t.Context(), "test"), 3*time.Second)
		s, err := caller.NewStream(ctx, n.ID(), id)
		if err == nil {
			_, err = s.Write([]byte("x"))
			if err == nil {
				_, err = s.Read(make([]byte, 1))
			}
		}
		if err == nil {
			t.Errorf("%s is spoken", id)
		}
		cancel()
	}
	r := meshtest.NewRealm(t)
	m := r.Host(t)
	meshtest.Listen(t, m)
	req := n.request(t, r, "ABCDE")
	req.Addr = p2p.PasteAddrs(m)[0]
	if err := Send(t.Context(), req, "test"); !errors.Is(err, errAway) {
		t.Errorf("a member is claimed: %v", err)
	}
	req.Addr = "/ip4/127.0.0.1/tcp/1/p2p/" + n.ID().String()
	if err := Send(t.Context(), req, "test"); !errors.Is(err, errAway) {
		t.Errorf("nobody is claimed: %v", err)
	}
	req.Addr = "nowhere"
	if err := Send(t.Context(), req, "test"); err == nil {
		t.Error("nowhere is claimed")
	}
}

func TestCodes(t *testing.T) {
	seen, chars := map[string]bool{}, map[rune]int{}
	for range 2000 {
		c := newCode()
		if len(c) != codeLen+1 || c[groupLen] != '-' || seen[c] || strings.Trim(normal(c), alphabet) != "" {
			t.Fatalf("code %q", c)
		}
		seen[c] = true
		for _, r := range normal(c) {
			chars[r]++
		}
	}
	for _, r := range alphabet {
		if n := chars[r]; n < 500 || n > 850 { // 667 on average, with a deviation of 25
			t.Errorf("%c is drawn %d times of 20000", r, n)
		}
	}
	for _, c := range []struct {
		typed string
		same  bool
	}{{"abcde-fghjk", true}, {"ABCDE FGHJK", true}, {"ABCDEFGHJK", true}, {"ABCDE-FGHJ", false}, {"ABCDE-FGHJKK", false}, {"", false}} {
		if equal(c.typed, "ABCDE-FGHJK") != c.same {
			t.Errorf("%q is the same: %v", c.typed, !c.same)
		}
	}
}

// FuzzClaim sends anything.
func FuzzClaim(f *testing.F) {
	f.Add([]byte(`{"code":"ABCDE-FGHJK","realm":"abcdefghijklmnopqrstuvwxyz234567","owner":"` + strings.Repeat("a", 52) + `","proof":{"realm":"abcdefghijklmnopqrstuvwxyz234567","intents":["e30="]}}`))
	f.Add([]byte(`{"code":""}`))
	f.Add([]byte(`{}`))
	dir := f.TempDir()
	files := Files{Pin: filepath.Join(dir, "trust.json"), Membership: filepath.Join(dir, "membership.json"), Book: filepath.Join(dir, "peers.json")}
	key := meshtest.Key(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		d := NewDesk(key, files, time.Minute, meshtest.Log())
		d.code = "ABCDE-FGHJK"
		w := httptest.NewRecorder()
		d.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/claim", strings.NewReader(string(body))))
		var no api.ErrorReply
		if w.Code/100 != 4 || api.Decode(w.Body.Bytes(), api.MaxMessage, &no) != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
