package cli

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func seedKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func peerOf(k ed25519.PrivateKey) api.PeerID { return keys.Peer(keys.PublicOf(k).Key()) }

// act has the owner sign something about keys.
func (m *mesh) act(a owner.Act) intent.Signed {
	m.t.Helper()
	in, err := m.owner.Act(m.seq.Ledger(), a, time.Now(), time.Now())
	if err != nil {
		m.t.Fatal(err)
	}
	m.seq.Take(in)
	return in
}

// invite makes an invite.
func (m *mesh) invite(k ed25519.PrivateKey, roles ...string) {
	m.t.Helper()
	m.act(owner.Act{Ref: owner.InviteRef(keys.PublicOf(k)), Change: owner.Say(&api.Invite{Roles: roles, Expires: time.Now().Add(time.Hour).UTC()})})
}

// join lets a node in by an invite, countersigned by a member.
func (m *mesh) join(node, by, witness ed25519.PrivateKey) {
	m.t.Helper()
	body, err := json.Marshal(&api.Membership{})
	if err != nil {
		m.t.Fatal(err)
	}
	in, err := intent.Sign(api.Intent{Realm: m.seq.Pin.Realm, Ref: owner.MemberRef(keys.PublicOf(node)), Seq: 1, Issued: time.Now().UTC(), Body: body}, by)
	if err != nil {
		m.t.Fatal(err)
	}
	if in, err = m.seq.Ledger().Admit(in, witness, time.Now()); err != nil {
		m.t.Fatal(err)
	}
	m.seq.Take(in)
}

func (m *mesh) standing(k ed25519.PrivateKey) (api.Standing, string) {
	v, _ := m.seq.Ledger().Member(keys.PublicOf(k), time.Now())
	return v.Standing, v.By
}

func TestAdmit(t *testing.T) {
	m := newMesh(t)
	node := seedKey(1)
	id := string(peerOf(node))
	m.seq.Knock(api.Member{Peer: peerOf(node), Standing: api.StandingPending, Addr: "192.0.2.7", Since: time.Now().Add(-time.Minute)})
	m.want(0, []string{"1 node waits to be admitted", "realm peers admit " + id + "   # pending, knocked from 192.0.2.7, 1m ago"}, "peers")
	m.want(0, []string{"pending  1 node waits to be admitted: see realm peers"}, "status")
	m.want(2, []string{"PEER is missing"}, "peers", "admit")
	m.want(2, []string{"parse peer id"}, "peers", "admit", "nonsense")
	m.want(2, []string{"--role"}, "peers", "admit", id, "--role", "Not A Role")
	m.want(0, []string{id + " is a member now"}, "peers", "admit", id, "--role", "edge")
	m.want(0, []string{id + " is a member already"}, "peers", "admit", id, "--role", "edge")
	m.want(0, []string{id + " is a member now"}, "peers", "admit", id)
	m.want(0, []string{"…" + peerOf(node).Short(), "not seen"}, "peers", "ls")
	m.want(0, []string{id + " is revoked"}, "peers", "revoke", id)
	m.want(1, []string{"revoked already"}, "peers", "revoke", id)
	m.want(0, []string{"Revoked:", id}, "peers")
	m.want(0, []string{"is a member now"}, "peers", "admit", id)
	if s, by := m.standing(node); s != api.StandingMember || by != "owner" {
		t.Errorf("%s by %s", s, by)
	}
	m.want(1, []string{"is no member"}, "peers", "revoke", string(peerOf(seedKey(2))))
	m.want(1, []string{"there is no such invite"}, "peers", "revoke", string(api.KeyName(keys.PublicOf(seedKey(2)).Key())))
	m.want(2, []string{"want a peer id"}, "peers", "revoke", "nonsense")
}

// Revoking a member keeps those whom it has let in; revoking an invite does not.
func TestRevoke(t *testing.T) {
	m := newMesh(t)
	first, inv, other := seedKey(1), seedKey(11), seedKey(12)
	a, b, c, d := seedKey(2), seedKey(3), seedKey(4), seedKey(5)
	m.act(owner.Admit(keys.PublicOf(first).Key(), nil))
	m.invite(inv, "edge")
	m.invite(other)
	m.join(a, inv, first)
	m.join(b, inv, a)
	m.join(c, other, b)
	m.join(d, other, first)

	m.want(0, []string{string(peerOf(a)) + " is revoked", string(peerOf(b)) + " stays, admitted by you"}, "peers", "revoke", string(peerOf(a)))
	if s, by := m.standing(b); s != api.StandingMember || by != "owner" {
		t.Errorf("b is %s by %s", s, by)
	}
	if v, _ := m.seq.Ledger().Member(keys.PublicOf(b), time.Now()); strings.Join(v.Roles, ",") != "edge" {
		t.Errorf("b has the roles %q", v.Roles)
	}

	key := string(api.KeyName(keys.PublicOf(other).Key()))
	m.want(1, []string{"With it 2 more nodes are out:", string(peerOf(c)), string(peerOf(d)), "--yes", "nothing was changed"}, "peers", "revoke", key)
	if s, _ := m.standing(c); s != api.StandingMember {
		t.Error("nobody has said yes")
	}
	m.want(0, []string{key + " is revoked", "with it " + string(peerOf(d)) + " is out"}, "peers", "revoke", keys.PublicOf(other).String(), "--yes")
	for _, k := range []ed25519.PrivateKey{c, d} {
		if s, _ := m.standing(k); s == api.StandingMember {
			t.Error("a member by a revoked invite")
		}
	}
	m.want(1, []string{"revoked already"}, "peers", "revoke", key)
}

// The shell offers what can be meant.
func TestCompleteMembers(t *testing.T) {
	m := newMesh(t)
	first, waits, inv := seedKey(1), seedKey(2), seedKey(11)
	m.act(owner.Admit(keys.PublicOf(first).Key(), nil))
	m.invite(inv)
	_, granted := m.newcomer()
	m.act(owner.Act{Ref: owner.GrantRef(granted), Change: owner.Say(&api.Grant{May: []api.Right{api.RightPush}, Since: time.Now().UTC()})})
	m.seq.Knock(api.Member{Peer: peerOf(waits), Standing: api.StandingPending})
	for _, c := range []struct{ args, want string }{
		{"peers admit", string(peerOf(waits))},
		{"peers revoke", string(peerOf(first)) + "\n" + string(api.KeyName(keys.PublicOf(inv).Key()))},
		{"peers revoke " + string(peerOf(first)), string(api.KeyName(keys.PublicOf(inv).Key()))},
		{"grant revoke", granted.String()},
		{"grant revoke x", ""},
	} {
		var out bytes.Buffer
		Main(append(append([]string{cobra.ShellCompNoDescRequestCmd, "--home", m.home.Root()}, strings.Fields(c.args)...), ""), &out, io.Discard)
		if want := strings.TrimPrefix(c.want+"\n:", "\n"); !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: %q, want %q", c.args, out.String(), want)
		}
	}
}

func TestRevokeDrop(t *testing.T) {
	m := newMesh(t)
	first, inv, a, b := seedKey(1), seedKey(11), seedKey(2), seedKey(3)
	m.act(owner.Admit(keys.PublicOf(first).Key(), nil))
	m.invite(inv)
	m.join(a, inv, first)
	m.join(b, inv, a)
	code, out, errs := m.realm("peers", "revoke", string(peerOf(a)), "--drop", "--yes", "--json")
	var v revokedView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || len(v.Out) != 1 || v.Out[0] != peerOf(b) || len(v.Adopted) != 0 {
		t.Errorf("%d %v %s%s", code, err, out, errs)
	}
	if s, _ := m.standing(b); s == api.StandingMember {
		t.Error("b is a member by nobody")
	}
}

// The node here is not put out by mistake.
func TestRevokeHere(t *testing.T) {
	m := newMesh(t)
	here, err := keys.Read(m.home.NodeKey())
	if err != nil {
		t.Fatal(err)
	}
	m.act(owner.Admit(keys.PublicOf(here).Key(), nil))
	m.want(1, []string{"This is the node here", "--yes"}, "peers", "revoke", string(peerOf(here)))
	m.want(0, []string{"is revoked"}, "peers", "revoke", string(peerOf(here)), "--yes")
}

// A node that is no member says what to do, and what is wrong with it.
func TestStanding(t *testing.T) {
	m := newMesh(t)
	m.seq.Status.Standing, m.seq.Status.Note = api.StandingPending, "type realm peers admit there"
	m.seq.Status.Warnings = []string{"the clock is off"}
	m.want(0, []string{"standing pending: type realm peers admit there", "warning  the clock is off"}, "status")
	_, out, _ := m.realm("status", "--json")
	var v statusView
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Node.Standing != api.StandingPending || v.Node.Note == "" || len(v.Node.Warnings) != 1 || v.Members == nil {
		t.Errorf("%v %s", err, out)
	}
}

func TestPrintPeers(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	bad := member(peerB, strings.Repeat("long", 20), false, true, "edge")
	bad.Conflict, bad.Conduct, bad.Skew = []string{"/ip4/192.0.2.1/udp/1", "/ip4/192.0.2.2/udp/1"}, "sends too much:\x1b[2J throttled", api.Duration(-2*time.Hour)
	client := member(peerC, "gamma", false, true)
	client.Client = true
	late := member(peerOf(seedKey(9)), "delta", false, true)
	late.Skew, late.Down = api.Duration(90*time.Second), api.DaemonList{api.Casd, api.Runnerd}
	waits := peerOf(seedKey(8))
	v := peersView{Peers: []api.PeerRecord{member(peerA, "alpha", true, true), bad, client, late}, Members: []api.Member{
		{Peer: peerA, Standing: api.StandingMember}, {Peer: peerB, Standing: api.StandingMember},
		{Peer: peerOf(seedKey(7)), Standing: api.StandingMember, Roles: []string{"gpu"}}, {Peer: waits, Standing: api.StandingPending},
	}}
	a.printPeers(v, time.Now())
	for _, want := range []string{
		`(?m)^alpha +…4kx6nXTN +member +this node`,
		`(?m)^longlonglonglonglon… +…G1aoDd2p +member +for - .* edge .*\n  conflict: 2 nodes use its key at the same time \(/ip4/192.0.2.1/udp/1, .*\n  conduct: sends too much:\[2J throttled\n  clock: 2h0m0s behind the one here\n`,
		`(?m)^gamma +…Ku1BcvMA +client +for -`,
		`(?m)^delta .*\n  down: casd, runnerd \(no program runs there\): see realm logs casd there, then realm restart casd\n  clock: 1m30s ahead of the one here\n`,
		`(?m)^- +…\S{8} +member +not seen +- +gpu`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(line)); n > 100 && !strings.HasPrefix(line, "  ") {
			t.Errorf("a row of %d characters: %s", n, line)
		}
	}
	if strings.Contains(out.String(), waits.Short()) {
		t.Errorf("one that waits is in the table:\n%s", out.String())
	}
}

func TestPrintInvites(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	now := time.Now()
	a.printInvites(nil, now)
	a.printInvites([]api.InviteStatus{
		{Key: "k1", Invite: api.Invite{Expires: now.Add(90 * time.Minute), Uses: 3, Comment: "rack 1"}, Used: 1},
		{Key: "k2", Invite: api.Invite{Expires: now.Add(-time.Hour), Roles: []string{"edge"}}},
		{Key: "k3", Revoked: true},
	}, now)
	for _, want := range []string{`No invites: realm invite`, `rack 1 +1 of 3 +its own +in 1h +k1`, `- +0 +edge +ended 1h ago +k2`, `revoked +k3`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// A question is answered on a terminal alone; here there is none.
func TestConfirmWithoutTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	a := &app{in: r}
	if err := a.confirm(t.Context(), false, "Sure?"); err == nil || !strings.Contains(err.Error(), "Sure?\nThere is no terminal to answer on: give --yes") {
		t.Errorf("got %v", err)
	}
	if err := a.confirm(t.Context(), true, "Sure?"); err != nil {
		t.Error(err)
	}
}
