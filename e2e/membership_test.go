//go:build unix

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// newGuest describes a node in an account without an owner key.
func newGuest(t *testing.T, name string) *node.Node {
	t.Helper()
	return newNode(t, name, filepath.Join(t.TempDir(), "none.pem"))
}

// startOwner brings up a node whose owner is on this machine, for others to join.
func startOwner(t *testing.T) *node.Node {
	t.Helper()
	n := newNode(t, "node 1", "")
	do(t, n, "init")
	start(t, n, "--mdns=false")
	return n
}

func invite(t *testing.T, n *node.Node, flags ...string) string {
	t.Helper()
	token := strings.TrimSpace(do(t, n, append([]string{"invite"}, flags...)...))
	if strings.ContainsAny(token, " \n") || !strings.HasPrefix(token, "realm1") {
		t.Fatalf("the token is no one word: %q", token)
	}
	return token
}

// standing waits until n says of itself that it is that, and returns why.
func standing(t *testing.T, n *node.Node, want string) (note string) {
	t.Helper()
	until(t, n.Name+" to be "+want, func(ctx context.Context) error {
		var st struct {
			Node struct{ Standing, Note string }
		}
		if err := n.JSON(ctx, &st, "status"); err != nil {
			return err
		}
		note = st.Node.Note
		if st.Node.Standing != want {
			return fmt.Errorf("it is %s: %s", st.Node.Standing, note)
		}
		return nil
	})
	return note
}

// sees waits until n shows the node with this peer id in a standing.
func sees(t *testing.T, n *node.Node, peer, want string) {
	t.Helper()
	until(t, fmt.Sprintf("%s to show %s as %s", n.Name, peer, want), func(ctx context.Context) error {
		p, err := n.Peers(ctx)
		if err != nil {
			return err
		}
		for _, m := range p.Members {
			if m.Peer == peer {
				if m.Standing == want {
					return nil
				}
				return fmt.Errorf("it is %s", m.Standing)
			}
		}
		return errors.New("it is not listed")
	})
}

func runs(t *testing.T, n *node.Node, name string) {
	t.Helper()
	until(t, name+" called on "+n.Name, func(ctx context.Context) error {
		out, err := n.Do(ctx, "fn", "exec", name, "21")
		if err == nil && strings.TrimSpace(out) != "42" {
			err = node.Final(fmt.Errorf("%s 21 = %s", name, out))
		}
		return err
	})
}

func deploy(t *testing.T, n *node.Node, name string, flags ...string) {
	t.Helper()
	do(t, n, append([]string{"fn", "deploy", "--wasm", sample("double"), "--name", name}, flags...)...)
}

// TestInvite lets nodes in by tokens: by hand, unattended, and not once too often.
// Then their invite is revoked, and with it they are out.
func TestInvite(t *testing.T) {
	t.Parallel()
	first := startOwner(t)
	deploy(t, first, "double")
	token := invite(t, first, "--uses", "2", "--role", "edge", "--expires", "1h")

	byHand := newGuest(t, "by hand")
	do(t, byHand, "enroll", token)
	start(t, byHand, "--mdns=false")
	standing(t, byHand, "member")
	runs(t, byHand, "double")

	unattended := newGuest(t, "unattended")
	unattended.Env = []string{"REALM_ENROLL_TOKEN=" + token}
	start(t, unattended, "--mdns=false")
	standing(t, unattended, "member")
	waitPeers(t, unattended, 2)
	runs(t, unattended, "double")
	for _, n := range []*node.Node{byHand, unattended} {
		sees(t, first, peerOf(t, n), "member")
	}

	late := newGuest(t, "one too many")
	if err := late.StartOnly("--mdns=false", "--enroll", token); err != nil {
		t.Fatal(err)
	}
	until(t, "the third use to be refused", func(ctx context.Context) error {
		if out := late.Output(); !strings.Contains(out, "was for 2 nodes") {
			return fmt.Errorf("it says %q", out)
		}
		return nil
	})
	if p, err := first.Peers(testContext(t)); err != nil || p.Connected() != 2 {
		t.Errorf("connected to %+v, %v", p, err)
	}

	// What was left in the home is enough to come back, without the token.
	if err := byHand.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, byHand, "--mdns=false")
	standing(t, byHand, "member")
	waitPeers(t, byHand, 2)

	var invites struct{ Invites []struct{ Key string } }
	if err := first.JSON(testContext(t), &invites, "invite", "ls"); err != nil || len(invites.Invites) != 1 {
		t.Fatalf("invites %+v, %v", invites, err)
	}
	do(t, first, "peers", "revoke", "--yes", invites.Invites[0].Key)
	waitPeers(t, first, 0)
	for _, n := range []*node.Node{byHand, unattended} {
		standing(t, n, "revoked")
	}
}

// TestSpoiltToken wants a token that was not copied whole, or is none, refused
// before anything happens.
func TestSpoiltToken(t *testing.T) {
	first := startOwner(t)
	token := invite(t, first)
	guest := newGuest(t, "guest")
	other := "x" // than what stands there
	if token[20] == other[0] {
		other = "y"
	}
	for _, bad := range []string{"", "realm1", token[:len(token)-1], token[:20] + other + token[21:], strings.ToUpper(token), "hello"} {
		refuse(t, guest, []string{"token"}, "enroll", bad)
	}
	do(t, guest, "enroll", token[:30]+"\n  "+token[30:]) // as a mail program breaks it
	start(t, guest, "--mdns=false")
	standing(t, guest, "member")
}

// TestAdmit has a node knock that knows whom to follow, and the owner let it in,
// throw it out, and let it in again.
func TestAdmit(t *testing.T) {
	t.Parallel()
	first := startOwner(t)
	deploy(t, first, "double")
	owner := strings.TrimSpace(do(t, first, "key", "show"))

	guest := newGuest(t, "guest")
	do(t, guest, "configure", "--owner", owner, "--bootstrap", addrOf(t, first))
	start(t, guest, "--mdns=false")
	if note := standing(t, guest, "pending"); !strings.Contains(note, "realm peers admit "+peerOf(t, guest)) {
		t.Errorf("a pending node says %q", note)
	}
	refuse(t, guest, nil, "fn", "exec", "double", "21")
	sees(t, first, peerOf(t, guest), "pending")

	do(t, first, "peers", "admit", peerOf(t, guest))
	standing(t, guest, "member")
	waitPeers(t, first, 1)
	runs(t, guest, "double")

	do(t, first, "peers", "revoke", "--yes", peerOf(t, guest))
	waitPeers(t, first, 0)
	standing(t, guest, "revoked")
	deploy(t, first, "secret")
	time.Sleep(3 * time.Second) // long enough to have come by gossip or sync
	var st status
	if err := guest.JSON(testContext(t), &st, "status"); err != nil {
		t.Fatal(err)
	}
	if st.knows("secret") {
		t.Error("a revoked node has heard of a push")
	}

	do(t, first, "peers", "admit", peerOf(t, guest))
	standing(t, guest, "member")
	runs(t, guest, "secret")
}

// TestTofu pairs a node with an owner by the code that it shows: once.
func TestTofu(t *testing.T) {
	first := startOwner(t)
	guest := newGuest(t, "guest")
	start(t, guest, "--mdns=false", "--tofu")
	standing(t, guest, "unclaimed")
	var code string
	until(t, "the code to be shown", func(context.Context) error {
		_, rest, ok := strings.Cut(guest.Output(), "--code ")
		if !ok {
			return fmt.Errorf("no code in %q", guest.Output())
		}
		code = strings.Fields(rest)[0]
		return nil
	})
	addr := addrOf(t, guest)
	refuse(t, first, []string{"code"}, "claim", addr, "--code", "AAAAAAAAAA")
	do(t, first, "claim", addr, "--code", code)
	standing(t, guest, "member")
	waitPeers(t, first, 1)

	// Somebody else's attempt, with the right code, after that.
	other := startOwner(t)
	refuse(t, other, nil, "claim", addr, "--code", code)
	if err := guest.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, guest, "--mdns=false", "--tofu") // a claimed node stays claimed
	standing(t, guest, "member")
	waitPeers(t, first, 1)

	// Given up, it can be had by somebody else.
	refuse(t, guest, []string{"realm down"}, "reset", "--yes")
	if err := guest.Stop(); err != nil {
		t.Fatal(err)
	}
	do(t, guest, "reset", "--yes")
	do(t, guest, "enroll", invite(t, other))
	start(t, guest, "--mdns=false")
	standing(t, guest, "member")
	waitPeers(t, other, 1)
}

// TestWithoutANode gives commands from an account that has the owner's key, and no
// node, to a node elsewhere.
func TestWithoutANode(t *testing.T) {
	t.Parallel()
	first := startOwner(t)
	addr := addrOf(t, first)
	away := newNode(t, "away", first.OwnerKey)
	do(t, away, "--node", addr, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	if got := strings.TrimSpace(do(t, away, "--node", addr, "fn", "exec", "double", "21")); got != "42" {
		t.Errorf("double 21 = %s", got)
	}
	runs(t, first, "double")
	if out := do(t, away, "--node", addr, "peers"); !strings.Contains(out, peerOf(t, first)) {
		t.Errorf("peers from away:\n%s", out)
	}
	do(t, away, "context", "add", "home", "--node", addr)
	if got := strings.TrimSpace(do(t, away, "--context", "home", "fn", "exec", "double", "21")); got != "42" {
		t.Errorf("double 21 = %s by a context", got)
	}
	do(t, away, "--context", "home", "fn", "rm", "double")
	refuse(t, first, nil, "fn", "exec", "double", "21")
	// Nothing of the visits stays.
	until(t, "the clients gone", func(ctx context.Context) error {
		p, err := first.Peers(ctx)
		if err == nil && p.Connected() != 0 {
			err = fmt.Errorf("connected to %+v", p)
		}
		return err
	})
	stranger := newGuest(t, "a stranger")
	do(t, stranger, "init")
	refuse(t, stranger, nil, "--node", addr, "--timeout", "15s", "fn", "list")
}
