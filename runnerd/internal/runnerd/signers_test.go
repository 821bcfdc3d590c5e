package runnerd

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// TestOwnerOfARunningProgramChanges has the owner take over what a granted key has
// pushed, and then move to a new key, while it runs.
func TestOwnerOfARunningProgramChanges(t *testing.T) {
	n := newNode(t)
	n.start()
	_, ci, err := ed25519.GenerateKey(nil)
	n.check(err)
	grant := api.Ref{Kind: api.KindGrant, Name: keyName(ci)}
	n.put(n.signBody(grant, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()}, n.owner))
	var steps []wasmtest.Step
	for i := range 1000 {
		steps = append(steps, wasmtest.Out(fmt.Sprintf("line %d\n", i)), wasmtest.Sleep(20*time.Millisecond))
	}
	program := n.script(steps...)
	n.put(n.sign(worker, program, api.Target{}, ci))
	before := n.awaitState(worker, 1, api.StateRunning)

	n.put(n.sign(worker, program, api.Target{}, n.owner))
	n.put(n.signBody(grant, nil, n.owner)) // the granted key counts no more
	n.awaitState(worker, 2, api.StateRunning)
	_, next, err := ed25519.GenerateKey(nil)
	n.check(err)
	rotate := api.Ref{Kind: api.KindRotate, Name: api.NameOwner}
	realm := api.NewRealmID(keys.PublicOf(n.owner).Key())
	proof := ed25519.Sign(next, api.RotationProof(realm, 1, keys.PublicOf(n.owner).Key()))
	n.put(n.signBody(rotate, api.Rotation{Key: keyName(next), Proof: proof}, n.owner))
	n.put(n.sign(worker, program, api.Target{}, next))
	n.awaitState(worker, 3, api.StateRunning)
	n.put(n.signBody(api.Ref{Kind: api.KindSettle, Name: api.NameOwner}, api.Settled{}, next))
	last := n.prev[worker]
	n.push(worker, n.script(wasmtest.Leave(3))) // by the key that was replaced
	n.put(n.sign(double, n.times(2), api.Target{}, next))
	n.awaitState(double, 1, api.StateRunning) // by now all before it is seen
	f := n.await(worker, func(f api.WorkloadFact) bool { return f.State == api.StateRunning })
	if f.Seq != 3 || f.Intent != last.Digest || !f.Since.Equal(before.Since) || f.Restarts != 0 {
		t.Errorf("%+v", f)
	}
	written := strings.Count(n.log(worker), "\n")
	for late := time.Now().Add(20 * time.Second); strings.Count(n.log(worker), "\n") < written+10; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("it writes no more")
		}
	}
	for i, l := range strings.Split(strings.TrimSpace(n.log(worker)), "\n") {
		if !strings.HasSuffix(l, fmt.Sprintf("stdout line %d", i)) {
			t.Fatalf("line %d is %s", i, l)
		}
	}
}

// TestGrantedKeyIsRevoked ends what nobody else asks for.
func TestGrantedKeyIsRevoked(t *testing.T) {
	n := newNode(t)
	n.start()
	_, ci, err := ed25519.GenerateKey(nil)
	n.check(err)
	n.put(n.sign(double, n.times(2), api.Target{}, ci)) // before its grant
	grant := api.Ref{Kind: api.KindGrant, Name: keyName(ci)}
	n.put(n.signBody(grant, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()}, n.owner))
	n.awaitState(double, 1, api.StateRunning)
	n.put(n.signBody(grant, nil, n.owner))
	if f := n.awaitState(double, 1, api.StateRemoved); !strings.Contains(f.Reason, "revoked") {
		t.Errorf("%+v", f)
	}
	if got := n.call("double", "[1]"); !strings.HasPrefix(got, "404") {
		t.Error(got)
	}
}

// TestRolesOfTheMembership has the owner give this node other roles than its settings do.
func TestRolesOfTheMembership(t *testing.T) {
	n := newNode(t)
	n.start()
	n.put(n.sign(double, n.times(2), api.Target{Tags: []string{"gpu"}}, n.owner))
	n.awaitState(double, 1, api.StateRunning)
	key, err := keys.Read(n.home.NodeKey())
	n.check(err)
	self := api.Ref{Kind: api.KindMember, Name: keyName(key)}
	n.put(n.signBody(self, api.Membership{Roles: []string{"web"}}, n.owner))
	if f := n.awaitState(double, 1, api.StateRemoved); !strings.Contains(f.Reason, "target") {
		t.Errorf("%+v", f)
	}
	n.put(n.signBody(self, api.Membership{}, n.owner))
	n.awaitState(double, 1, api.StateRunning)
}

// TestProgramOfANewerVersion has an intent come that this version cannot read whole.
func TestProgramOfANewerVersion(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	n.put(n.signUnknown(double, strings.Replace(string(n.prev[double].Body), "{", `{"colour":"blue",`, 1)))
	f := n.awaitState(double, 2, api.StateFailed)
	if !strings.Contains(f.Reason, "newer version of Realm") || f.Serving != 1 {
		t.Errorf("%+v", f)
	}
	if got := n.call("double", "[21]"); got != `200 {"result":42}` {
		t.Error(got)
	}
}
