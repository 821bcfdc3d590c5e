package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func addrOf(host string, id api.PeerID) string { return host + "/p2p/" + string(id) }

func TestPickAddrs(t *testing.T) {
	own := func(n int) (out []string) {
		for i := range n {
			out = append(out, addrOf("/ip4/10.0.0."+string(rune('1'+i))+"/udp/4001/quic-v1", peerA))
		}
		return out
	}
	at := func(id api.PeerID, rtt time.Duration, addrs ...string) api.PeerRecord {
		p := member(id, "", false, true)
		p.RTT, p.Addrs = api.Duration(rtt), addrs
		return p
	}
	b1, b2, c1 := "/ip4/192.0.2.1/udp/1/quic-v1", "/ip6/2001:db8::1/udp/1/quic-v1", "/ip4/192.0.2.3/udp/1/quic-v1"
	gone := at(peerB, 1, b1)
	gone.Connected = false
	client := at(peerB, 1, b1)
	client.Client = true
	twins := at(peerB, 1, b1)
	twins.Conflict = []string{"a", "b"}
	for name, c := range map[string]struct {
		own   []string
		peers []api.PeerRecord
		want  []string
	}{
		"nobody":               {nil, nil, nil},
		"this node":            {own(2), nil, own(2)},
		"not all of this node": {own(6), nil, own(4)},
		"loopback if need be":  {[]string{addrOf("/ip4/127.0.0.1/udp/1/quic-v1", peerA)}, nil, []string{addrOf("/ip4/127.0.0.1/udp/1/quic-v1", peerA)}},
		"QUIC before TCP":      {append([]string{addrOf("/ip4/10.0.0.9/tcp/1", peerA)}, own(1)...), nil, own(1)},
		"the nearest first":    {own(1), []api.PeerRecord{at(peerC, 9, c1), at(peerB, 1, b1, b2)}, append(own(1), addrOf(b1, peerB), addrOf(c1, peerC), addrOf(b2, peerB))},
		"nobody's loopback":    {own(1), []api.PeerRecord{at(peerB, 1, "/ip4/127.0.0.1/udp/1/quic-v1", "/ip6/::1/udp/1/quic-v1")}, own(1)},
		"nothing unreadable":   {own(1), []api.PeerRecord{at(peerB, 1, "/unix/x", "nonsense")}, own(1)},
		"who is connected":     {own(1), []api.PeerRecord{gone}, own(1)},
		"no clients":           {own(1), []api.PeerRecord{client}, own(1)},
		"no copies of a key":   {own(1), []api.PeerRecord{twins}, own(1)},
		"eight at most": {own(4), []api.PeerRecord{at(peerB, 1, b1, b2, "/ip4/192.0.2.4/udp/1/quic-v1", "/ip4/192.0.2.5/udp/1/quic-v1", "/ip4/192.0.2.6/udp/1/quic-v1")},
			append(own(4), addrOf(b1, peerB), addrOf(b2, peerB), addrOf("/ip4/192.0.2.4/udp/1/quic-v1", peerB), addrOf("/ip4/192.0.2.5/udp/1/quic-v1", peerB))},
	} {
		if got := pickAddrs(c.own, c.peers); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v\nwant %v", name, got, c.want)
		}
	}
}

func TestInvite(t *testing.T) {
	m := newMesh(t)
	here := addrOf("/ip4/192.0.2.7/udp/4001/quic-v1", peerA)
	m.seq.Status.Addrs = []string{addrOf("/ip4/127.0.0.1/udp/4001/quic-v1", peerA), here}
	beta := member(peerB, "beta", false, true)
	beta.Addrs = []string{"/ip4/192.0.2.8/udp/4001/quic-v1"}
	m.peer(beta)
	given := addrOf("/dns4/shed.example/tcp/4001", peerC)

	code, out, errs := m.realm("invite", "--role", "edge", "--uses", "3", "--expires", "2d", "--comment", "sheds", "--bootstrap", given)
	if code != 0 || !regexp.MustCompile(`^realm1\S+\n$`).MatchString(out) {
		t.Fatalf("exit code %d, %q\n%s", code, out, errs)
	}
	tok, err := invite.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{given, here, addrOf(beta.Addrs[0], peerB)}; !slices.Equal(tok.Addrs, want) {
		t.Errorf("addresses %v, want %v", tok.Addrs, want)
	}
	limits, err := tok.Limits()
	if left := time.Until(limits.Expires); err != nil || left < 47*time.Hour || left > 48*time.Hour || limits.Uses != 3 || !slices.Equal(limits.Roles, []string{"edge"}) || limits.Comment != "sheds" {
		t.Errorf("limits %+v, %v", limits, err)
	}
	if tok.Pin() != m.seq.Pin {
		t.Errorf("it leads to %v", tok.Pin())
	}
	for _, want := range []string{"An invite for 3 machines, good until ", "realm up --enroll TOKEN", "realm peers revoke " + string(api.KeyName(keys.PublicOf(tok.Key).Key()))} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
	m.want(0, []string{"sheds", "0 of 3", "edge", string(api.KeyName(keys.PublicOf(tok.Key).Key()))}, "invite", "ls")

	var v inviteView
	code, out, errs = m.realm("invite", "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || !v.Listed || v.Uses != 1 || errs != "" {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}
	if len(m.seq.Ledger().Invites(time.Now())) != 2 {
		t.Error("the node does not hold both")
	}
}

// After a rotation a token has what leads from the first key to the new one.
func TestInviteOfARotatedRealm(t *testing.T) {
	m := newMesh(t)
	m.seq.Status.Addrs = []string{addrOf("/ip4/192.0.2.7/udp/4001/quic-v1", peerA)}
	m.want(0, nil, "key", "rotate", "--yes")
	code, out, errs := m.realm("invite")
	if code != 0 {
		t.Fatal(errs)
	}
	tok, err := invite.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Realm != m.seq.Pin.Realm || tok.Owner == m.seq.Pin.Owner || len(tok.Rotations) != 1 {
		t.Errorf("%d rotations to %v", len(tok.Rotations), tok.Pin())
	}
}

// waiting is a node without an owner, whose daemons a test plays.
type waiting struct {
	t    *testing.T
	home paths.Home

	mu     sync.Mutex
	status api.MeshStatus
}

func newWaiting(t *testing.T) *waiting {
	t.Helper()
	h, _ := nodetest.Bus(t)
	w := &waiting{t: t, home: h, status: api.MeshStatus{Peer: peerA, Standing: api.StandingUnclaimed}}
	nodetest.Handle(t, nodetest.As(t, h, api.Meshd), api.SubjectMesh, func([]byte) (any, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.status, nil
	})
	return w
}

func (w *waiting) is(s api.MeshStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}

// onRestart has meshd stand like that, one after the other, once it was restarted.
func (w *waiting) onRestart(all ...api.MeshStatus) {
	nodetest.Handle(w.t, nodetest.As(w.t, w.home, api.Launcher), api.SubjectRestart, func(b []byte) (any, error) {
		if !strings.Contains(string(b), "meshd") {
			w.t.Errorf("restarted %s", b)
		}
		if _, err := os.Stat(w.home.EnrollToken()); err != nil {
			w.t.Errorf("restarted without a token: %v", err)
		}
		w.is(all[0])
		for i, s := range all[1:] {
			time.AfterFunc(time.Duration(i+1)*500*time.Millisecond, func() { w.is(s) })
		}
		return api.Empty{}, nil
	})
}

func (w *waiting) realm(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(append([]string{"--home", w.home.Root(), "--timeout", "5s"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// newToken is the text of an invite by an owner who is elsewhere.
func newToken(t *testing.T) (string, trust.Pin) {
	t.Helper()
	key, err := keys.Create(filepath.Join(t.TempDir(), "owner.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pin := trust.NewPin(keys.PublicOf(key))
	tok, _, err := invite.New(key, pin, api.Invite{Expires: time.Now().Add(time.Hour), Roles: []string{"edge"}}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := tok.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text, pin
}

func TestEnrollOnANodeThatIsUp(t *testing.T) {
	w := newWaiting(t)
	text, pin := newToken(t)
	w.onRestart(api.MeshStatus{Standing: api.StandingJoining, Note: "nobody answers"}, api.MeshStatus{Standing: api.StandingMember, Realm: pin.Realm})
	code, out, errs := w.realm("enroll", text)
	if code != 0 || !strings.Contains(out, "Waiting for a member to let it in") || !strings.Contains(out, "It is a member now") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if got, err := trust.ReadPin(w.home.Pin()); err != nil || got != pin {
		t.Errorf("it follows %v, %v", got, err)
	}
	// As meshd leaves it. The token again is as good as none.
	if err := errors.Join(os.Remove(w.home.EnrollToken()), trust.WriteMembership(w.home.Proof(), api.Proof{Realm: pin.Realm})); err != nil {
		t.Fatal(err)
	}
	code, out, errs = w.realm("enroll", text)
	if code != 0 || !strings.Contains(out, "is a member of realm "+string(pin.Realm)+" already") {
		t.Errorf("a member: exit code %d\n%s%s", code, out, errs)
	}
	other, _ := newToken(t)
	if code, _, errs = w.realm("enroll", other); code != 1 || !strings.Contains(errs, "belongs to another owner") {
		t.Errorf("another realm: exit code %d\n%s", code, errs)
	}
}

func TestEnrollIsRefused(t *testing.T) {
	text, _ := newToken(t)
	for name, c := range map[string]struct {
		last api.MeshStatus
		want string
	}{
		"by members": {api.MeshStatus{Standing: api.StandingJoining, Refused: "member x: the invite was for 2 nodes"}, "the realm does not let this node in: member x: the invite was for 2 nodes"},
		"by nobody":  {api.MeshStatus{Standing: api.StandingJoining, Note: "nobody answers"}, "it is joining so far; nobody answers. The node goes on trying"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWaiting(t)
			w.onRestart(api.MeshStatus{Standing: api.StandingJoining}, c.last)
			if code, out, errs := w.realm("enroll", text, "--timeout", "2s"); code != 1 || !strings.Contains(errs, c.want) {
				t.Errorf("exit code %d\n%s%s\nwant %q", code, out, errs, c.want)
			}
		})
	}
}

// told runs what realm up does once the daemons are ready, while the node becomes
// one after the other of these.
func told(t *testing.T, r run, all ...api.MeshStatus) (out string, err error) {
	t.Helper()
	w := newWaiting(t)
	w.is(all[0])
	for i, s := range all[1:] {
		time.AfterFunc(time.Duration(i+1)*500*time.Millisecond, func() { w.is(s) })
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(all)+1)*500*time.Millisecond)
	defer cancel()
	var b bytes.Buffer
	err = (&app{out: &b, err: &b}).ready(ctx, w.home, r)
	return b.String(), err
}

func TestReadySaysWhatTheNodeIs(t *testing.T) {
	up := run{config: config.Node{HTTPListen: "127.0.0.1:8080", ManageListen: "127.0.0.1:9920"}}
	joining := up
	joining.enroll = &invite.Token{}
	is := func(s api.Standing, note string) api.MeshStatus {
		m := api.MeshStatus{Peer: peerA, Standing: s, Note: note, Realm: "qhaumhmcaksy4qtfjsvy75n6u4nrigre", Owner: "ed25519:x", Addrs: []string{addrOf("/ip4/192.0.2.7/udp/1/quic-v1", peerA)}}
		if s == api.StandingUnclaimed {
			m.Realm, m.Owner = "", ""
		}
		return m
	}
	open := is(api.StandingUnclaimed, "")
	open.Pairing = &api.Pairing{Code: "7KXQ2-M9RTW", Until: time.Date(2026, 11, 22, 10, 10, 0, 0, time.Local)}
	refused := is(api.StandingJoining, "")
	refused.Refused = "the invite was for 2 nodes"
	for name, c := range map[string]struct {
		run  run
		all  []api.MeshStatus
		want []string
		not  []string
		err  error
	}{
		"a member": {up, []api.MeshStatus{is(api.StandingMember, "")}, []string{`realm +qhaumhmcaksy4qtfjsvy75n6u4nrigre`, `follows +ed25519:x`, `join with a token of realm invite`, `/ip4/192.0.2.7/`}, []string{"standing"}, nil},
		"nobody's": {up, []api.MeshStatus{is(api.StandingUnclaimed, "")}, []string{`follows +nobody yet, so it runs nothing`, `realm enroll TOKEN`, `realm init`}, []string{"standing", "realm claim"}, nil},
		"joins": {joining, []api.MeshStatus{is(api.StandingJoining, ""), is(api.StandingJoining, "nobody answers"), is(api.StandingJoining, ""), is(api.StandingMember, "")},
			[]string{`standing +joining: waits for a member to let it in`, `(?s)joining: nobody answers\n.*member of realm qhaumhmcaksy4qtfjsvy75n6u4nrigre now`}, []string{"(?s)nobody answers.*joining"}, nil},
		"is refused":                  {joining, []api.MeshStatus{is(api.StandingJoining, ""), refused}, nil, nil, errNotLetIn},
		"was refused at an old start": {up, []api.MeshStatus{is(api.StandingJoining, ""), refused}, []string{`does not let this node in: the invite was for 2 nodes\. With a new token`}, nil, nil},
		"knocks":                      {up, []api.MeshStatus{is(api.StandingPending, ""), is(api.StandingMember, "")}, []string{`standing +pending: .*realm peers admit ` + string(peerA), `member of realm qhaumhmcaksy4qtfjsvy75n6u4nrigre now`}, nil, nil},
		"waits to be claimed": {up, []api.MeshStatus{open, is(api.StandingMember, "")},
			[]string{`follows +nobody yet: it waits to be claimed`, `until 10:10:00`, `(?m)^  realm claim /ip4/192.0.2.7/udp/1/quic-v1/p2p/` + string(peerA) + ` --code 7KXQ2-M9RTW$`, `has an owner now: it follows ed25519:x`}, nil, nil},
		"was not claimed": {up, []api.MeshStatus{open, is(api.StandingUnclaimed, "")}, []string{`cannot be claimed any more`, `realm up --tofu`}, nil, nil},
		"is put out":      {up, []api.MeshStatus{is(api.StandingRevoked, "")}, []string{`standing +revoked: the owner has put it out`}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := told(t, c.run, c.all...)
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			for _, want := range c.want {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			for _, not := range c.not {
				if regexp.MustCompile(not).MatchString(out) {
					t.Errorf("%q in\n%s", not, out)
				}
			}
		})
	}
}

func TestClaim(t *testing.T) {
	m := newMesh(t)
	here := addrOf("/ip4/192.0.2.7/udp/4001/quic-v1", peerA)
	m.seq.Status.Addrs = []string{here}
	there := addrOf("/ip4/192.0.2.9/udp/4001/quic-v1", peerC)
	claimed, err := keys.OfPeer(peerC)
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Handle(t, m.conn, api.SubjectClaim, func(b []byte) (any, error) {
		var r api.ClaimNode
		if err := api.Decode(b, api.MaxMessage, &r); err != nil {
			return nil, err
		}
		if r.Code != "7KXQ2-M9RTW" {
			return nil, errors.New("the code is wrong: 4 tries are left")
		}
		if r.Addr != there || r.Realm != m.seq.Pin.Realm || r.Owner != api.KeyName(m.seq.Pin.Owner.Key()) || !slices.Equal(r.Addrs, []string{here}) {
			t.Errorf("asked for %+v", r)
		}
		raw, err := ledger.EncodeProof(r.Proof)
		if err != nil {
			return nil, err
		}
		if v := ledger.New(m.seq.Pin).Judge(claimed, raw, time.Now()); v.Standing != api.StandingMember {
			t.Errorf("the proof makes it %+v", v)
		}
		m.later.Go(func() {
			time.Sleep(100 * time.Millisecond)
			m.peer(member(peerC, "gamma", false, true, "edge"))
		})
		return api.Empty{}, nil
	})
	m.want(1, []string{"claim " + there, "the code is wrong: 4 tries are left"}, "claim", there, "--code", "AAAAA-AAAAA")
	if _, ok := m.seq.Ledger().Member(claimed, time.Now()); ok {
		t.Error("a membership was handed out for a wrong code")
	}
	m.want(0, []string{"taken you for its owner", string(peerC) + " is a member of realm " + string(m.seq.Pin.Realm) + " now"}, "claim", there, "--code", " 7KXQ2-M9RTW ", "--role", "edge")
	if got, ok := m.seq.Ledger().Member(claimed, time.Now()); !ok || got.By != "owner" || !slices.Equal(got.Roles, []string{"edge"}) {
		t.Errorf("the node holds %+v", got)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--code is missing", []string{"claim", there}},
		{"too many", []string{"claim", there, "--code", strings.Repeat("A", api.MaxCode+1)}},
		{"/p2p/PEER", []string{"claim", "/ip4/192.0.2.9/udp/4001/quic-v1", "--code", "A"}},
		{"tag", []string{"claim", there, "--code", "A", "--role", "a/b"}},
	} {
		m.want(2, []string{c.want}, c.args...)
	}
}

// The key and the grant in the hands of a person say which realm a client joins.
func TestClientSigner(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(paths.EnvOwnerKey, filepath.Join(dir, "mine.pem"))
	mine, err := owner.Create()
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.Create(filepath.Join(dir, "other.pem"))
	if err != nil {
		t.Fatal(err)
	}
	realm := trust.NewPin(keys.PublicOf(other))
	body, err := json.Marshal(api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	grant, err := intent.Sign(api.Intent{Realm: realm.Realm, Ref: owner.GrantRef(mine.Public()), Seq: 1, Issued: time.Now(), Body: body}, other)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "grant")
	if err := os.WriteFile(file, grant.Envelope, 0o600); err != nil {
		t.Fatal(err)
	}
	var named where
	named.set.Owner, named.set.Realm = realm.Owner.String(), mine.Realm()
	for name, c := range map[string]struct {
		where where
		grant string
		pin   trust.Pin
	}{
		"the key":     {where{}, "", mine.Pin()},
		"the grant":   {where{}, file, realm},
		"the context": {named, file, trust.Pin{Realm: mine.Realm(), Owner: realm.Owner}},
	} {
		s, pin, err := (&app{grantFile: c.grant}).clientSigner(t.Context(), c.where)
		if err != nil || pin != c.pin || s.Realm != pin.Realm || (s.Grant != nil) != (c.grant != "") {
			t.Errorf("%s: %+v, %v, grant %v", name, pin, err, s.Grant != nil)
		}
	}
}

func TestAwaitPeerEnds(t *testing.T) {
	w := newWaiting(t)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, &timeoutError{200 * time.Millisecond})
	defer cancel()
	if err := dialed(ctx, w.home, func(n *node.Node) error { return awaitPeer(ctx, n, peerB) }); err == nil || !strings.Contains(err.Error(), "--timeout") {
		t.Errorf("got %v", err)
	}
}
