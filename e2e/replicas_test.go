package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// replicas is what one node hears of the replicas of a component, as it comes: a gap
// between two looks would not be seen otherwise.
type replicas struct {
	t    *testing.T
	name string
	node *node.Node

	mu     sync.Mutex
	facts  map[string]api.WorkloadFact // by peer
	lowest int
	story  []string
}

func watchReplicas(t *testing.T, n *node.Node, name string) *replicas {
	t.Helper()
	home, err := paths.Open(n.Home)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(testContext(t), home, api.CLI, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b, err := conn.Bucket(testContext(t), api.BucketWorkloads)
	if err != nil {
		t.Fatal(err)
	}
	r := &replicas{t: t, name: name, node: n, facts: map[string]api.WorkloadFact{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- b.Watch(ctx, api.KeyIntent(api.Ref{Kind: api.KindComponent, Name: api.Name(name)})+".*", r.event)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("watch %s: %v", name, err)
		}
		conn.Close()
		if t.Failed() {
			t.Logf("what was heard of %s:", name)
			for _, line := range r.story {
				t.Log(line)
			}
		}
	})
	return r
}

func (r *replicas) event(ev bus.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, peer, ok := api.ParseKeyWorkload(ev.Key)
	var f api.WorkloadFact
	switch {
	case ev.Kind == bus.Put && ok && json.Unmarshal(ev.Value, &f) == nil:
		r.facts[string(peer)] = f
	case ev.Kind == bus.Deleted && ok:
		delete(r.facts, string(peer))
	default:
		return nil
	}
	good := r.good()
	r.lowest = min(r.lowest, len(good))
	r.story = append(r.story, fmt.Sprintf("%s …%s version %d %s serving %d: %s; good: %d",
		time.Now().Format("15:04:05.000"), peer.Short(), f.Seq, f.State, f.Serving, f.Reason, len(good)))
	return nil
}

// good lists the members on which some version runs; the caller holds mu.
func (r *replicas) good() (out []string) {
	for peer, f := range r.facts {
		if f.Answers() || f.State == api.StateExited {
			out = append(out, peer)
		}
	}
	slices.Sort(out)
	return out
}

// mark begins to count the lowest number of good replicas anew.
func (r *replicas) mark() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lowest = len(r.good())
}

// neverBelow fails the test if there were fewer good replicas since the mark.
func (r *replicas) neverBelow(want int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lowest < want {
		r.t.Errorf("%s had %d good replicas at one time, want %d at all times", r.name, r.lowest, want)
	}
}

// settle waits until version (0: any) runs on exactly count members, and nothing else
// does anywhere; it returns them.
func (r *replicas) settle(count int, version uint64) (peers []string) {
	r.t.Helper()
	return r.until(fmt.Sprintf("%d replicas of %s", count, r.name), version, func(got []string) bool { return len(got) == count })
}

// settleOn waits until one replica runs, and does so on peer.
func (r *replicas) settleOn(peer string) {
	r.t.Helper()
	r.until(r.name+" on …"+api.PeerID(peer).Short()+" alone", 0, func(got []string) bool { return len(got) == 1 && got[0] == peer })
}

// settleOff waits until one replica runs, and does so elsewhere than on peer, which it
// returns.
func (r *replicas) settleOff(peer string) string {
	r.t.Helper()
	return r.until(r.name+" elsewhere than on …"+api.PeerID(peer).Short(), 0, func(got []string) bool { return len(got) == 1 && got[0] != peer })[0]
}

func (r *replicas) until(what string, version uint64, ok func(peers []string) bool) (peers []string) {
	r.t.Helper()
	until(r.t, what, func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		peers = nil
		for peer, f := range r.facts {
			switch {
			case f.State == api.StateRunning && f.Serving == 0 && (version == 0 || f.Seq == version):
				peers = append(peers, peer)
			case f.Answers():
				return fmt.Errorf("…%s still runs version %d: %s %s", api.PeerID(peer).Short(), f.Serving, f.State, f.Reason)
			}
		}
		slices.Sort(peers)
		if !ok(peers) {
			return fmt.Errorf("%v run it", peers)
		}
		return nil
	})
	return peers
}

// others are the peer ids of nodes that are not in peers.
func others(t *testing.T, nodes []*node.Node, peers []string) (out []*node.Node) {
	t.Helper()
	for _, n := range nodes {
		if !slices.Contains(peers, peerOf(t, n)) {
			out = append(out, n)
		}
	}
	return out
}

func byPeer(t *testing.T, nodes []*node.Node, peer string) *node.Node {
	t.Helper()
	for _, n := range nodes {
		if peerOf(t, n) == peer {
			return n
		}
	}
	t.Fatal(errors.New("no node is " + peer))
	return nil
}
