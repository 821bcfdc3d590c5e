package enroll

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

func TestJoin(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newMember(t, r, nil)
	limits := hour()
	limits.Roles = []string{"edge"}
	token := r.Invite(t, limits, m.addr()) // which the member hears of from the joiner
	key := meshtest.Key(t)
	start := time.Now()
	reply, err := run(t, newJoiner(t, token, key))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("let in after %v", time.Since(start))
	if len(reply.Peers) != 1 || reply.Peers[0].Peer != meshtest.ID(m.key) {
		t.Errorf("it is told to dial %v", reply.Peers)
	}
	if is, _ := m.keeper.Ledger().Member(keys.PublicOf(key), m.now()); is.Standing != api.StandingMember || is.Witness != meshtest.ID(m.key) || len(is.Roles) != 1 {
		t.Errorf("the member knows it as %+v", is)
	}
	// What it was given is good for members that know nothing but the owner's key.
	shown, err := ledger.EncodeProof(reply.Proof)
	if err != nil {
		t.Fatal(err)
	}
	if v := ledger.New(r.Pin).Judge(keys.PublicOf(key), shown, m.now()); v.Standing != api.StandingMember {
		t.Errorf("others say that it is %q: %v", v.Standing, v.Err)
	}
	invites := m.keeper.Ledger().Invites(m.now())
	if len(invites) != 1 || invites[0].Used != 1 {
		t.Errorf("invites are %+v", invites)
	}
}

// TestAfterRotations joins by a token of an owner whose key was replaced twice, at a
// member that has followed all of it.
func TestAfterRotations(t *testing.T) {
	r := meshtest.NewRealm(t)
	var rotations [][]byte
	for range 2 {
		rotations = append(rotations, r.Rotate(t).Envelope)
		r.Settle(t)
	}
	m := newMember(t, r, nil)
	token, _, err := invite.New(r.Key, r.Pin, hour(), rotations, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	token.Addrs = []string{m.addr()}
	if _, err := run(t, newJoiner(t, token, meshtest.Key(t))); err != nil {
		t.Error(err)
	}
}

// TestRefused has members say no, and the joiner stop where that is the end of it.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		limits  func(*api.Invite)
		spoil   func(t *testing.T, r *meshtest.Realm, m *member, token invite.Token, key ed25519.PrivateKey)
		want    string
		forGood bool
	}{
		"expired by the member's clock": {nil, func(_ *testing.T, _ *meshtest.Realm, m *member, _ invite.Token, _ ed25519.PrivateKey) {
			m.shift(2 * time.Hour)
		}, "ended at", true},
		"expired for long": {func(i *api.Invite) { i.Expires = time.Now().Add(-time.Hour) }, nil, "ended at", true},
		"used up": {func(i *api.Invite) { i.Uses = 2 }, func(t *testing.T, _ *meshtest.Realm, _ *member, token invite.Token, _ ed25519.PrivateKey) {
			for range 2 {
				if _, err := run(t, newJoiner(t, token, meshtest.Key(t))); err != nil {
					t.Fatal(err)
				}
			}
		}, "was for 2 nodes", true},
		"its node is revoked": {nil, func(t *testing.T, r *meshtest.Realm, m *member, _ invite.Token, key ed25519.PrivateKey) {
			r.Admit(t, key)
			r.Revoke(t, api.KindMember, key)
			m.learn(t, r)
		}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := meshtest.NewRealm(t)
			m := newMember(t, r, nil)
			limits := hour()
			if c.limits != nil {
				c.limits(&limits)
			}
			token, key := r.Invite(t, limits, m.addr()), meshtest.Key(t)
			if c.spoil != nil {
				c.spoil(t, r, m, token, key)
			}
			j := newJoiner(t, token, key)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := j.Run(ctx)
			if errors.Is(err, ErrRefused) != c.forGood || err == nil || c.forGood && !strings.Contains(err.Error(), c.want) || !strings.Contains(j.Note(), c.want) {
				t.Errorf("Run = %v; want %q, for good: %v; it notes %q", err, c.want, c.forGood, j.Note())
			}
			if s := m.standing(key); s == api.StandingMember {
				t.Error("it is a member")
			}
		})
	}
}

// TestAnotherMember has one member's clock ahead, which must not keep a node out.
func TestAnotherMember(t *testing.T) {
	r := meshtest.NewRealm(t)
	ahead, right := newMember(t, r, nil), newMember(t, r, nil)
	ahead.shift(2 * time.Hour)
	for _, m := range []*member{ahead, right} {
		m.learn(t, r)
	}
	token, key := r.Invite(t, hour(), ahead.addr()), meshtest.Key(t)
	j := newJoiner(t, token, key)
	j.patience = patience
	result := make(chan error, 1)
	go func() {
		_, err := run(t, j)
		result <- err
	}()
	meshtest.Until(t, patience, "one refuses", func() bool { return strings.Contains(j.Note(), "ended at") })
	j.finder.Hear(right.ID(), right.Addrs()) // as mDNS would
	if err := <-result; err != nil || right.standing(key) != api.StandingMember {
		t.Errorf("Run = %v", err)
	}
}

// TestLostAnswer has the answer get lost, after which the node is a member already.
func TestLostAnswer(t *testing.T) {
	r := meshtest.NewRealm(t)
	var asked atomic.Int64
	m := newMember(t, r, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if asked.Add(1) > 1 {
				next.ServeHTTP(w, req)
				return
			}
			next.ServeHTTP(discard{http.Header{}}, req)
			panic(http.ErrAbortHandler)
		})
	})
	limits := hour()
	limits.Uses = 1
	if _, err := run(t, newJoiner(t, r.Invite(t, limits, m.addr()), meshtest.Key(t))); err != nil || asked.Load() != 2 {
		t.Errorf("after %d questions: %v", asked.Load(), err)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// TestLiars answer a joiner: one that is no member, and one whose answers do not make
// the node a member.
func TestLiars(t *testing.T) {
	r, other := meshtest.NewRealm(t), meshtest.NewRealm(t)
	var asked atomic.Int64
	count := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { asked.Add(1); next.ServeHTTP(w, req) })
	}
	stranger := newMember(t, other, count)
	someone := meshtest.Key(t)
	r.Admit(t, someone)
	wrong := []any{
		api.EnrollReply{Proof: api.Proof{Realm: r.Pin.Realm}},
		api.EnrollReply{Proof: r.Proof(someone)}, // somebody else's
		api.EnrollReply{Proof: api.Proof{Realm: other.Pin.Realm}},
		map[string]string{"hello": "world"},
	}
	var told atomic.Int64
	liar := newMember(t, r, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			local.WriteJSON(w, http.StatusOK, wrong[int(told.Add(1)-1)%len(wrong)])
		})
	})
	j := newJoiner(t, r.Invite(t, hour(), stranger.addr(), liar.addr()), meshtest.Key(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := j.Run(ctx)
		result <- err
	}()
	meshtest.Until(t, 20*time.Second, "all lies are told", func() bool { return told.Load() >= int64(len(wrong)) })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if asked.Load() != 0 {
		t.Error("a stranger was asked")
	}
}

// TestNobodyThere has a joiner say what it has tried.
func TestNobodyThere(t *testing.T) {
	r := meshtest.NewRealm(t)
	gone := r.Host(t) // it does not listen
	addr := fmt.Sprintf("/ip4/127.0.0.1/tcp/1/p2p/%s", gone.ID())
	j := newJoiner(t, r.Invite(t, hour(), addr, "no address"), meshtest.Key(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := j.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run = %v", err)
	}
	if got := j.Note(); !strings.Contains(got, "no member reached yet: tried 1") || !strings.Contains(got, gone.ID().String()) {
		t.Errorf("it notes %q", got)
	}
}

// TestDesk asks a member by hand what it must not grant.
func TestDesk(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newMember(t, r, nil)
	token, key := r.Invite(t, hour(), m.addr()), meshtest.Key(t)
	joins := func(token invite.Token, key ed25519.PrivateKey) []byte {
		s, err := token.Join(keys.PublicOf(key))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(api.EnrollRequest{Join: s.Envelope})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	foreign := meshtest.NewRealm(t).Invite(t, hour())
	for name, c := range map[string]struct {
		body []byte
		want int
	}{
		"for another node":    {joins(token, meshtest.Key(t)), http.StatusForbidden},
		"of another realm":    {joins(foreign, key), http.StatusForbidden},
		"nothing":             {nil, http.StatusBadRequest},
		"no join":             {[]byte(`{"join":""}`), http.StatusBadRequest},
		"no envelope":         {[]byte(`{"join":"e30="}`), http.StatusBadRequest},
		"without an end":      {bytes.Repeat([]byte(" "), maxRequest+1), http.StatusBadRequest},
		"something unrelated": {[]byte(`{"realm":"x"}`), http.StatusBadRequest},
	} {
		j := newJoiner(t, token, key)
		if err := j.host.Connect(t.Context(), meshtest.Info(m)); err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: j.trips}).Post(streams.URL(m.ID(), "/enroll"), "application/json", bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d %s; want %d", name, resp.StatusCode, text, c.want)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	if m.standing(key) != "" {
		t.Errorf("the node is %s", m.standing(key))
	}
}

// TestFlood asks so often that a member has enough of it.
func TestFlood(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newMember(t, r, nil)
	token, key := r.Invite(t, hour(), m.addr()), meshtest.Key(t)
	j := newJoiner(t, token, key)
	if err := j.host.Connect(t.Context(), meshtest.Info(m)); err != nil {
		t.Fatal(err)
	}
	codes := map[int]int{}
	for range 2 * burst {
		resp, err := (&http.Client{Transport: j.trips}).Post(streams.URL(m.ID(), "/enroll"), "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		codes[resp.StatusCode]++
		resp.Body.Close()
	}
	if codes[http.StatusTooManyRequests] == 0 || codes[http.StatusBadRequest] < burst {
		t.Errorf("answers are %v", codes)
	}
}

// TestLimiter holds one address to its share, and remembers no more of them than it should.
func TestLimiter(t *testing.T) {
	l, now := newLimiter(), time.Now()
	one := netip.MustParsePrefix("192.0.2.1/32")
	allowed := 0
	for range 2 * burst {
		if l.of(one, now).AllowN(now, 1) {
			allowed++
		}
	}
	if allowed != burstEach {
		t.Errorf("%d requests of one address are allowed at once", allowed)
	}
	for i := range 2 * maxAddresses {
		from := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		if i%2 == 0 {
			from = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, byte(i >> 8), byte(i)}), 56)
		}
		l.of(from, now).AllowN(now, 1)
		if len(l.each) > maxAddresses {
			t.Fatalf("%d addresses are remembered", len(l.each))
		}
	}
	later := now.Add(time.Hour)
	for i := range maxAddresses { // those that have been quiet make room
		l.of(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 32), later)
	}
	if len(l.each) > maxAddresses {
		t.Errorf("%d addresses are remembered", len(l.each))
	}
}
