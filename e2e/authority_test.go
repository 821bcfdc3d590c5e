//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// as is n in the hands of the person with another key.
func as(n *node.Node, key string) *node.Node {
	return &node.Node{Name: n.Name + " as another", Bin: n.Bin, Home: n.Home, OwnerKey: key, HTTP: n.HTTP, Manage: n.Manage, Env: n.Env}
}

// TestGrant lets a second key push some names, and no others, until it may not any more.
func TestGrant(t *testing.T) {
	n := startOwner(t)
	ci := as(n, filepath.Join(t.TempDir(), "ci.pem"))
	do(t, ci, "init")
	key := strings.TrimSpace(do(t, ci, "key", "show"))
	refuse(t, ci, []string{key}, "fn", "deploy", "--wasm", sample("double"), "--name", "ci-early")

	do(t, n, "grant", key, "--may", "push", "--prefix", "ci-", "--expires", "30d", "--comment", "the build server")
	deploy(t, n, "ci-owned")
	deploy(t, ci, "ci-one")
	runs(t, n, "ci-one")
	refuse(t, ci, []string{"ci-"}, "fn", "deploy", "--wasm", sample("double"), "--name", "web")
	refuse(t, ci, []string{"owner"}, "fn", "deploy", "--wasm", sample("double"), "--name", "ci-owned")
	refuse(t, ci, nil, "fn", "rm", "ci-owned")
	refuse(t, ci, nil, "peers", "revoke", "--yes", peerOf(t, n))
	refuse(t, ci, nil, "grant", key, "--may", "push")
	if out := do(t, n, "history", "ci-one"); !strings.Contains(out, "the build server") {
		t.Errorf("history does not say who signed:\n%s", out)
	}
	if out := do(t, n, "grant", "ls"); !strings.Contains(out, "the build server") || !strings.Contains(out, "ci-") {
		t.Errorf("grant ls:\n%s", out)
	}

	// What a revoked key has pushed goes on, in the owner's name.
	do(t, n, "grant", "revoke", key)
	runs(t, n, "ci-one")
	refuse(t, ci, nil, "fn", "deploy", "--wasm", sample("double"), "--name", "ci-two")
	refuse(t, ci, nil, "fn", "rm", "ci-one")
	refuse(t, n, []string{"new"}, "grant", key, "--may", "push")
}

// TestFork has the owner push two things under one name on nodes that do not hear
// of each other. When they do, both run the same, and both remember the other.
func TestFork(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 2)
	deploy(t, nodes[0], "double")
	for _, n := range nodes {
		runs(t, n, "double")
	}
	addr := addrOf(t, nodes[0])
	for i, n := range nodes {
		other := nodes[1-i]
		if err := other.Stop(); err != nil {
			t.Fatal(err)
		}
		do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double", "--epoch-ms", fmt.Sprint(1000*(i+1)))
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
		start(t, other, "--mdns=false", "--bootstrap", addr)
	}
	start(t, nodes[1], "--mdns=false", "--bootstrap", addr)
	waitPeers(t, nodes[1], 1)
	var seen [2]history
	for i, n := range nodes {
		until(t, "the fork in the history of "+n.Name, func(ctx context.Context) error {
			seen[i] = history{}
			if err := n.JSON(ctx, &seen[i], "history", "double"); err != nil {
				return err
			}
			if got := seen[i].states(); got != "2 current, 2 fork, 1 replaced" {
				return fmt.Errorf("its history is %s", got)
			}
			return nil
		})
	}
	if seen[0].Versions[0].Digest != seen[1].Versions[0].Digest {
		t.Errorf("they follow different versions: %+v and %+v", seen[0], seen[1])
	}
	if out := do(t, nodes[0], "history", "double"); !strings.Contains(out, "fork") {
		t.Errorf("history:\n%s", out)
	}
}

type history struct {
	Versions []struct {
		Seq           int
		Digest, State string
	}
}

func (h history) states() string {
	var s []string
	for _, v := range h.Versions {
		s = append(s, fmt.Sprint(v.Seq, " ", v.State))
	}
	return strings.Join(s, ", ")
}

// TestRotate hands a realm over to a new key. A node that was away follows when it
// is back; the old key has no say any more.
func TestRotate(t *testing.T) {
	t.Parallel()
	first := startOwner(t)
	deploy(t, first, "double")
	var guests []*node.Node
	for _, name := range []string{"guest", "away"} {
		g := newGuest(t, name)
		start(t, g, "--mdns=false", "--enroll", invite(t, first))
		standing(t, g, "member")
		runs(t, g, "double")
		guests = append(guests, g)
	}
	here, away := guests[0], guests[1]
	realm := realmOf(t, first)
	if err := away.Stop(); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.pem")
	copyFiles(t, filepath.Dir(first.OwnerKey), filepath.Dir(old), filepath.Base(first.OwnerKey))
	thief := as(first, filepath.Join(filepath.Dir(old), filepath.Base(first.OwnerKey)))

	do(t, first, "key", "rotate", "--yes")
	runs(t, first, "double")
	runs(t, here, "double")
	deploy(t, first, "after")
	runs(t, here, "after")
	start(t, away, "--mdns=false")
	standing(t, away, "member")
	runs(t, away, "after")
	if got := realmOf(t, first); got != realm {
		t.Errorf("the realm was %s and is %s", realm, got)
	}
	refuse(t, thief, nil, "fn", "deploy", "--wasm", sample("double"), "--name", "stolen")
	refuse(t, thief, nil, "fn", "rm", "double")

	late := newGuest(t, "late")
	start(t, late, "--mdns=false", "--enroll", invite(t, first))
	standing(t, late, "member")
	runs(t, late, "after")
}

// TestOldDisk puts a node's disk back to what it was. It catches up, and brings
// nothing back that has been replaced.
func TestOldDisk(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 2)
	for _, name := range []string{"double", "removed"} {
		deploy(t, nodes[0], name)
	}
	runs(t, nodes[1], "removed")
	if err := nodes[1].Stop(); err != nil {
		t.Fatal(err)
	}
	old := newNode(t, "old disk", nodes[0].OwnerKey)
	copyHome(t, nodes[1].Home, old.Home)
	addr := addrOf(t, nodes[0])
	start(t, nodes[1], "--mdns=false", "--bootstrap", addr)
	waitPeers(t, nodes[1], 1)
	do(t, nodes[0], "fn", "rm", "removed")
	do(t, nodes[0], "fn", "deploy", "--wasm", sample("double"), "--name", "double", "--epoch-ms", "5000")
	if err := nodes[1].Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, old, "--mdns=false", "--bootstrap", addr)
	waitPeers(t, old, 1)
	until(t, "the old disk caught up", func(ctx context.Context) error {
		var h history
		if err := old.JSON(ctx, &h, "history", "double"); err != nil {
			return err
		}
		if got := h.states(); got != "2 current, 1 replaced" {
			return fmt.Errorf("its history is %s", got)
		}
		if r := old.CLI(ctx, "fn", "exec", "removed", "21"); r.Code == 0 {
			return fmt.Errorf("what was removed answers: %s", r)
		}
		return nil
	})
	var h history
	if err := nodes[0].JSON(testContext(t), &h, "history", "removed"); err != nil || h.states() != "2 current, 1 replaced" {
		t.Errorf("node 1 says of what was removed: %s, %v", h.states(), err)
	}
	refuse(t, nodes[0], nil, "fn", "exec", "removed", "21")
}
