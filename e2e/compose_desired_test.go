//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// hosts lists the services whose containers run a component, as seen in one container.
func (c containers) hosts(ctx context.Context, seenIn, name string) (out []string, err error) {
	text, err := c.realm(ctx, seenIn, "status", "--json")
	if err != nil {
		return nil, err
	}
	var st status
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		return nil, node.Final(err)
	}
	for _, w := range st.Workloads {
		for _, m := range w.Members {
			if w.Name == name && m.State == "running" {
				out = append(out, c.service(m.Peer))
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// learn asks every container for its peer id.
func (c containers) learn() {
	c.t.Helper()
	for _, s := range append([]string{"node6"}, lan...) {
		until(c.t, "the peer id of "+s, func(ctx context.Context) error {
			out, err := c.realm(ctx, s, "whoami", "--json")
			if err != nil {
				return err
			}
			var who node.Whoami
			if err := json.Unmarshal([]byte(out), &who); err != nil || who.Peer == "" {
				return fmt.Errorf("%q: %w", out, err)
			}
			c.peer[who.Peer] = s
			return nil
		})
	}
}

func (c containers) service(peer string) string {
	if s := c.peer[peer]; s != "" {
		return s
	}
	return peer
}

// settles waits until exactly want (services, or a number of them) run a component.
func (c containers) settles(seenIn, name string, ok func([]string) bool) (got []string) {
	c.t.Helper()
	until(c.t, name+" settles, seen in "+seenIn, func(ctx context.Context) (err error) {
		if got, err = c.hosts(ctx, seenIn, name); err == nil && !ok(got) {
			err = fmt.Errorf("it runs on %v", got)
		}
		return err
	})
	return got
}

func exactly(n int) func([]string) bool { return func(s []string) bool { return len(s) == n } }

// TestDesiredStateInContainers keeps replicas over a kill, a partition, and a rollout
// while a member hangs.
func TestDesiredStateInContainers(t *testing.T) {
	c := startContainers(t)
	c.learn()
	push := func(args ...string) string {
		t.Helper()
		out, err := c.realm(testContext(t), "node1", append([]string{"push", "--file", "/samples/ticker.wasm"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	push("--name", "two", "--replicas", "2")
	push("--name", "all")
	c.settles("node1", "all", exactly(6))
	two := c.settles("node1", "two", exactly(2))

	// A machine dies.
	victim := two[0]
	if victim == "node1" { // which has the owner's key
		victim = two[1]
	}
	c.docker("kill", c.id(victim))
	died := time.Now()
	now := c.settles("node1", "two", func(s []string) bool { return len(s) == 2 && !slices.Contains(s, victim) })
	took := time.Since(died)
	t.Logf("%s was killed; %v run it after %v", victim, now, took.Round(100*time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("a dead node's replica ran elsewhere after %v, want 20 s at most", took)
	}
	// node6 was connected to none but node1, and has it from there, unless it is the victim.
	told := "node6"
	if victim == told {
		told = "node5"
	}
	c.settles(told, "two", func(s []string) bool { return !slices.Contains(s, victim) })
	if took := time.Since(died); took > 20*time.Second {
		t.Errorf("%s knew that it is dead after %v, want 20 s at most", told, took)
	}
	if _, err := c.run(testContext(t), "start", victim); err != nil {
		t.Fatal(err)
	}
	c.settles("node1", "two", func(s []string) bool { return slices.Equal(s, two) })

	// A member hangs while a version is rolled out: the others go on, and it follows.
	slow := "node3"
	c.docker("pause", c.id(slow))
	push("--name", "all", "--arg", "again", "--wait=false")
	until(t, "the others have the new version", func(ctx context.Context) error {
		got, err := c.versions(ctx, "node1", "all")
		if err == nil && got[2] != 5 {
			err = fmt.Errorf("by version: %v", got)
		}
		return err
	})
	c.docker("unpause", c.id(slow))
	until(t, "the one that hung has it, too", func(ctx context.Context) error {
		got, err := c.versions(ctx, "node1", "all")
		if err == nil && got[2] != 6 {
			err = fmt.Errorf("by version: %v", got)
		}
		return err
	})

	// Cut off, each side has its replica; together again, there is one.
	push("--name", "one", "--replicas", "1")
	c.settles("node6", "one", exactly(1))
	c.network("disconnect", "far", "node6")
	c.settles("node6", "one", func(s []string) bool { return slices.Equal(s, []string{"node6"}) })
	c.settles("node1", "one", func(s []string) bool { return len(s) == 1 && s[0] != "node6" })
	c.network("connect", "far", "node6")
	for _, s := range []string{"node1", "node6"} {
		c.settles(s, "one", exactly(1))
	}
	until(t, "realm explain on node6 to show one", func(ctx context.Context) error { // each side had one for itself
		out, err := c.realm(ctx, "node6", "explain", "one")
		if err == nil && (!strings.Contains(out, "1 of 1") || strings.Contains(out, ", away")) {
			err = fmt.Errorf("it shows %s", out)
		}
		return err
	})
}

// versions counts the members that run each version of a component.
func (c containers) versions(ctx context.Context, seenIn, name string) (map[uint64]int, error) {
	text, err := c.realm(ctx, seenIn, "status", "--json")
	if err != nil {
		return nil, err
	}
	var st struct {
		Workloads []struct {
			Name    string
			Members []struct {
				State   string
				Version uint64
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		return nil, node.Final(err)
	}
	out := map[uint64]int{}
	for _, w := range st.Workloads {
		for _, m := range w.Members {
			if w.Name == name && m.State == "running" {
				out[m.Version]++
			}
		}
	}
	return out, nil
}
