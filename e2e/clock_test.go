//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
)

// clockDir is where make test puts binaries whose clock can be shifted.
var clockDir = mustAbs("../dist/testclock")

// shift has n, from its next start on, run with a clock that is off by d.
func shift(n *node.Node, d time.Duration) {
	n.Bin, n.Env = clockDir, []string{"REALM_CLOCK_OFFSET=" + d.String()}
}

// refusedEntry brings up a guest that shows a token, and waits until it says why it
// was not let in.
func refusedEntry(t *testing.T, guest *node.Node, token, why string) {
	t.Helper()
	if err := guest.StartOnly("--mdns=false", "--enroll", token); err != nil {
		t.Fatal(err)
	}
	until(t, "the guest to be refused", func(ctx context.Context) error {
		if out := guest.Output(); !strings.Contains(out, why) {
			return fmt.Errorf("it says %q", out)
		}
		return nil
	})
}

// TestTokenAfterItsTime shows a member an invite whose time is over by the member's
// clock, also from a guest whose clock was set back, and after the member's was.
func TestTokenAfterItsTime(t *testing.T) {
	t.Parallel()
	first := startOwner(t)
	token := invite(t, first, "--expires", "1h")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	shift(first, 2*time.Hour)
	start(t, first, "--mdns=false")

	refusedEntry(t, newGuest(t, "guest"), token, "ended at")
	back := newGuest(t, "guest with its clock set back")
	shift(back, -24*time.Hour)
	refusedEntry(t, back, token, "ended at")

	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	shift(first, 0) // it has been later before: the invite does not come back to life
	start(t, first, "--mdns=false")
	refusedEntry(t, newGuest(t, "guest, once the clock is right"), token, "ended at")
	if p, err := first.Peers(testContext(t)); err != nil || p.Connected() != 0 {
		t.Errorf("connected to %+v, %v", p, err)
	}
}

// TestIntentFromTheFuture submits what was signed by a clock that is ahead. It is
// shown, and does not count.
func TestIntentFromTheFuture(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--mdns=false")
	deploy(t, n, "double")
	f := newForger(t, n)
	ahead := f.next(t)
	ahead.Issued, ahead.Tombstone, ahead.Body = time.Now().Add(time.Hour), true, nil
	if err := f.submit(t, f.sign(t, ahead, f.key)); err != nil {
		t.Fatal(err)
	}
	if out := do(t, n, "history", "double"); !strings.Contains(out, "quarantine") {
		t.Errorf("history:\n%s", out)
	}
	runs(t, n, "double")
	var st struct{ Node struct{ Warnings []string } }
	if err := n.JSON(testContext(t), &st, "status"); err != nil || len(st.Node.Warnings) == 0 {
		t.Errorf("status does not warn: %+v, %v", st, err)
	}
	// What comes after it counts at once.
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double", "--epoch-ms", "5000")
	runs(t, n, "double")
	// When its time comes it has been replaced.
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	shift(n, 2*time.Hour)
	start(t, n, "--mdns=false")
	runs(t, n, "double")
	if got := versions(t, n, "double"); got != "3 current, 2 replaced, 1 replaced" {
		t.Errorf("history: %s", got)
	}
}

func versions(t *testing.T, n *node.Node, name string) string {
	t.Helper()
	var h history
	if err := n.JSON(testContext(t), &h, "history", name); err != nil {
		t.Fatal(err)
	}
	return h.states()
}

// TestClockAhead has a member whose clock is two hours ahead. It works, and is shown.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	first := startOwner(t)
	deploy(t, first, "double")
	guest := newGuest(t, "guest")
	shift(guest, 2*time.Hour)
	start(t, guest, "--mdns=false", "--enroll", invite(t, first))
	standing(t, guest, "member")
	runs(t, guest, "double")
	deploy(t, first, "later")
	runs(t, guest, "later")
	until(t, "node 1 to show the clock", func(ctx context.Context) error {
		if out := do(t, first, "peers"); !strings.Contains(out, "clock") {
			return fmt.Errorf("realm peers says\n%s", out)
		}
		return nil
	})
}

// TestGrantAfterItsTime pushes with a granted key when the node's clock says that
// its time is over. What it pushed before goes on.
func TestGrantAfterItsTime(t *testing.T) {
	n := startOwner(t)
	ci := as(n, t.TempDir()+"/ci.pem")
	do(t, ci, "init")
	key := strings.TrimSpace(do(t, ci, "key", "show"))
	do(t, n, "grant", key, "--may", "push", "--expires", "1h")
	deploy(t, n, "double")
	deploy(t, ci, "one")
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	shift(n, 2*time.Hour)
	start(t, n, "--mdns=false")
	runs(t, n, "one")
	refuse(t, ci, []string{"ended"}, "fn", "deploy", "--wasm", sample("double"), "--name", "two")

	// Nor does an intent come in that says it is older than it is.
	f := newForger(t, n)
	s := f.sign(t, api.Intent{Realm: f.real, Ref: api.Ref{Kind: api.KindFunction, Name: "backdated"}, Seq: 1,
		Issued: time.Now().UTC(), Body: f.next(t).Body}, readKey(t, ci.OwnerKey))
	if err := f.submit(t, s); err == nil {
		t.Error("a backdated intent was accepted")
	}
}
