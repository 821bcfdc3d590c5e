package meshd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// member is a box whose node is a member of a new realm, and runs.
func member(t *testing.T) (*meshtest.Realm, *box, *process) {
	t.Helper()
	r, b := meshtest.NewRealm(t), newBox(t)
	b.admit(t, r)
	return r, b, b.start(t)
}

// answers asks how the node stands, again and again, and wants an answer each time.
func (b *box) answers(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	asking.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			var s api.MeshStatus
			brief, done := context.WithTimeout(ctx, 2*time.Second)
			if err := b.bus.Request(brief, api.SubjectMesh, nil, &s); ctx.Err() == nil && (err != nil || s.Peer != b.id() || s.Standing == "") {
				t.Errorf("an answer is %+v, %v", s, err)
			}
			done()
		}
	})
	stop = func() { cancel(); asking.Wait() }
	t.Cleanup(stop)
	return stop
}

func (b *box) giveToken(t *testing.T, token invite.Token) {
	t.Helper()
	text, err := token.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.home.EnrollToken(), []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// members asks for all pages.
func (b *box) members(t *testing.T) (out []api.Member) {
	t.Helper()
	for after, more := api.PeerID(""), true; more; {
		var reply api.MembersReply
		if err := b.bus.Request(testContext(t), api.SubjectMembers, api.MembersRequest{After: after}, &reply); err != nil {
			t.Fatal(err)
		}
		out = append(out, reply.Members...)
		if more = reply.More; more {
			after = reply.Members[len(reply.Members)-1].Peer
		}
	}
	return out
}

func (b *box) standingOf(t *testing.T, p api.PeerID) api.Standing {
	t.Helper()
	all := b.members(t)
	if i := slices.IndexFunc(all, func(m api.Member) bool { return m.Peer == p }); i >= 0 {
		return all[i].Standing
	}
	return ""
}

// TestJoinByToken has a node without anything but a token become a member, and stay one.
func TestJoinByToken(t *testing.T) {
	r, m, p := member(t)
	s := r.Component(t, "web", 1)
	if err := m.submit(t, s); err != nil {
		t.Fatal(err)
	}
	guest := newBox(t)
	guest.giveToken(t, r.Invite(t, api.Invite{Expires: time.Now().Add(time.Hour)}, p.note))
	proc := guest.start(t)
	quiet := guest.answers(t)
	guest.awaitStanding(t, api.StandingMember)
	guest.awaitIntent(t, s)
	m.awaitMember(t, guest.id(), true)
	if exists(t, guest.home.EnrollToken()) || !exists(t, guest.home.Proof()) {
		t.Error("the token is still there, or no membership is")
	}
	if got := m.standingOf(t, guest.id()); got != api.StandingMember {
		t.Errorf("the member shows it as %q", got)
	}
	quiet()
	proc.kill(t)
	guest.start(t) // with what is in its home
	guest.awaitStanding(t, api.StandingMember)
	m.awaitMember(t, guest.id(), true)
}

// TestRefusedInvite says why, waits for the owner instead, and is let in by them.
func TestRefusedInvite(t *testing.T) {
	r, m, p := member(t)
	guest := newBox(t)
	guest.giveToken(t, r.Invite(t, api.Invite{Expires: time.Now().Add(-time.Hour)}, p.note))
	guest.start(t, boot(p))
	guest.answers(t)
	s := guest.awaitStatus(t, "refused", func(s api.MeshStatus) bool { return s.Refused != "" })
	if !strings.Contains(s.Refused, "ended at") || !strings.Contains(s.Note, "ended at") || s.Standing != api.StandingPending {
		t.Errorf("it says %+v", s)
	}
	until(t, "the member shows it", func() bool { return m.standingOf(t, guest.id()) == api.StandingPending })
	if err := m.submit(t, r.Admit(t, guest.key)); err != nil {
		t.Fatal(err)
	}
	if s := guest.awaitStanding(t, api.StandingMember); s.Refused != "" {
		t.Errorf("as a member it says %+v", s)
	}
}

func TestSpoiltToken(t *testing.T) {
	r := meshtest.NewRealm(t)
	for name, prepare := range map[string]func(t *testing.T, b *box){
		"no token": func(t *testing.T, b *box) {
			b.follow(t, r)
			if err := os.WriteFile(b.home.EnrollToken(), []byte("hello"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"of another realm": func(t *testing.T, b *box) {
			b.follow(t, r)
			b.giveToken(t, meshtest.NewRealm(t).Invite(t, api.Invite{Expires: time.Now().Add(time.Hour)}))
		},
	} {
		b := newBox(t)
		prepare(t, b)
		b.start(t)
		if s := b.status(t); s.Standing != api.StandingPending || s.Refused == "" || s.Realm != r.Pin.Realm {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestNodeThatWaits is admitted, revoked and admitted again, in one process.
func TestNodeThatWaits(t *testing.T) {
	r, m, p := member(t)
	guest := newBox(t)
	guest.follow(t, r)
	guest.start(t, boot(p))
	guest.answers(t)
	if s := guest.awaitStanding(t, api.StandingPending); !strings.Contains(s.Note, "realm peers admit "+string(guest.id())) {
		t.Errorf("it says %q", s.Note)
	}
	until(t, "the member shows it", func() bool { return m.standingOf(t, guest.id()) == api.StandingPending })
	for i := range 2 {
		if err := m.submit(t, r.Admit(t, guest.key)); err != nil {
			t.Fatal(err)
		}
		guest.awaitStanding(t, api.StandingMember)
		m.awaitMember(t, guest.id(), true)
		until(t, "what makes it a member is kept", func() bool {
			proof, err := trust.ReadMembership(guest.home.Proof())
			return err == nil && len(proof.Intents) > 0
		})
		heard := r.Component(t, fmt.Sprintf("web%d", i), 1)
		if err := m.submit(t, heard); err != nil {
			t.Fatal(err)
		}
		guest.awaitIntent(t, heard) // it is back with that, and hears
		if err := m.submit(t, r.Revoke(t, api.KindMember, guest.key)); err != nil {
			t.Fatal(err)
		}
		guest.awaitStanding(t, api.StandingRevoked)
		m.awaitKey(t, api.BucketPeers, string(guest.id()), "its record is gone", func(v []byte) bool { return v == nil })
		if got := m.standingOf(t, guest.id()); got != api.StandingRevoked {
			t.Errorf("the member shows it as %q", got)
		}
	}
}

// TestPairing claims a node by its code, once, and in one process.
func TestPairing(t *testing.T) {
	r, m, p := member(t)
	guest := newBox(t)
	proc := guest.start(t, "REALM_TOFU=1m")
	quiet := guest.answers(t)
	s := guest.status(t)
	if s.Standing != api.StandingUnclaimed || s.Pairing == nil {
		t.Fatalf("it says %+v", s)
	}
	claim := func(by *box, r *meshtest.Realm, code string) error {
		r.Admit(t, guest.key)
		req := api.ClaimNode{Addr: proc.note, ClaimRequest: api.ClaimRequest{Code: code, Realm: r.Pin.Realm, Owner: meshtest.Name(r.Key), Proof: r.Proof(guest.key), Addrs: []string{p.note}}}
		return by.bus.Request(testContext(t), api.SubjectClaim, req, &api.Empty{})
	}
	var remote *bus.RemoteError
	if err := claim(m, r, "AAAAAAAAAA"); !errors.As(err, &remote) || !strings.Contains(err.Error(), "code") {
		t.Errorf("a wrong code: %v", err)
	}
	if err := claim(m, r, s.Pairing.Code); err != nil {
		t.Fatal(err)
	}
	if s := guest.awaitStanding(t, api.StandingMember); s.Realm != r.Pin.Realm || s.Pairing != nil {
		t.Errorf("it says %+v", s)
	}
	m.awaitMember(t, guest.id(), true)
	if err := claim(m, meshtest.NewRealm(t), s.Pairing.Code); err == nil {
		t.Error("it was claimed twice")
	}
	quiet()
	proc.stop(t)
	guest.start(t, "REALM_TOFU=1m")
	if s := guest.awaitStanding(t, api.StandingMember); s.Realm != r.Pin.Realm || s.Pairing != nil {
		t.Errorf("after a restart it says %+v", s)
	}
}

// TestPairingIsOver in time.
func TestPairingIsOver(t *testing.T) {
	b := newBox(t)
	b.start(t, "REALM_TOFU=1s")
	if s := b.awaitStatus(t, "no pairing", func(s api.MeshStatus) bool { return s.Pairing == nil }); s.Standing != api.StandingUnclaimed {
		t.Errorf("it says %+v", s)
	}
	if err := b.bus.Request(testContext(t), api.SubjectMembers, api.MembersRequest{}, &api.MembersReply{}); err == nil || !strings.Contains(err.Error(), "no owner") {
		t.Errorf("its members: %v", err)
	}
}

// TestNewOwnerKey is followed by running nodes, which show themselves with it.
func TestNewOwnerKey(t *testing.T) {
	r, boxes, _ := pair(t)
	web := r.Component(t, "web", 1)
	all := []intent.Signed{web, r.Rotate(t)}
	all = append(all, r.Settle(t)...)
	after := r.Component(t, "web", 1) // under the new key it is the first
	for _, s := range append(all, after) {
		if err := boxes[0].submit(t, s); err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range boxes {
		b.answers(t)
		b.awaitIntent(t, after)
		until(t, "it follows the new key", func() bool {
			pin, err := trust.ReadPin(b.home.Pin())
			return err == nil && pin == r.Pin
		})
		until(t, "it shows itself with it", func() bool {
			proof, err := trust.ReadMembership(b.home.Proof())
			return err == nil && len(proof.Intents) == 2 // the rotation, and the membership
		})
		if s := b.status(t); s.Owner != r.Pin.Owner.String() || s.Standing != api.StandingMember {
			t.Errorf("node %d says %+v", i, s)
		}
		b.awaitKey(t, api.BucketIntents, web.Slot().Key(), "what the old key has signed is gone", func(v []byte) bool { return v == nil })
	}
	boxes[0].awaitMember(t, boxes[1].id(), true)
	boxes[1].awaitMember(t, boxes[0].id(), true)
}
