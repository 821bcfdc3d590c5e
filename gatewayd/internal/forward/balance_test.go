package forward

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

const ms = time.Millisecond

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func members(rtts ...time.Duration) (out []route.Member) {
	for i, rtt := range rtts {
		out = append(out, route.Member{Peer: standin.Peer(byte(i + 1)), RTT: rtt})
	}
	return out
}

// firsts counts who is asked first.
func firsts(t *testing.T, b *balancer, all []route.Member, now time.Time) map[int]int {
	t.Helper()
	const rounds = 3000
	out := map[int]int{}
	for range rounds {
		order := b.order(all, now)
		if len(order) != len(all) {
			t.Fatalf("%d of %d", len(order), len(all))
		}
		for i, m := range all {
			if !slices.Contains(order, m.Peer) {
				t.Fatalf("%d is missing", i)
			}
			if order[0] == m.Peer {
				out[i]++
			}
		}
	}
	return out
}

func TestChoice(t *testing.T) {
	if got := newBalancer().order(nil, t0); len(got) != 0 {
		t.Errorf("%v", got)
	}
	for name, c := range map[string]struct {
		rtts []time.Duration
		do   func(b *balancer, all []route.Member)
		want []float64 // shares
	}{
		"one alone":             {rtts: []time.Duration{time.Hour}, want: []float64{1}},
		"the nearer of two":     {rtts: []time.Duration{90 * ms, 3 * ms}, want: []float64{0, 1}},
		"the better of any two": {rtts: []time.Duration{10 * ms, 11 * ms, 12 * ms}, want: []float64{2. / 3, 1. / 3, 0}},
		"none far away":         {rtts: []time.Duration{ms, ms, 80 * ms, math.MaxInt64}, want: []float64{1, 0, 0, 0}},
		"not the busy one": {rtts: []time.Duration{10 * ms, 11 * ms}, want: []float64{0, 1}, do: func(b *balancer, all []route.Member) {
			for range 3 {
				b.begin(all[0].Peer, t0)
			}
		}},
		"not the slow one": {rtts: []time.Duration{10 * ms, 20 * ms}, want: []float64{0, 1}, do: func(b *balancer, all []route.Member) {
			b.begin(all[0].Peer, t0.Add(-time.Second))(answered, t0)
		}},
		"not the one that lost": {rtts: []time.Duration{10 * ms, 90 * ms}, want: []float64{0, 1}, do: func(b *balancer, all []route.Member) {
			b.begin(all[0].Peer, t0)(lost, t0)
		}},
		"all lose": {rtts: []time.Duration{10 * ms, 90 * ms}, want: []float64{1, 0}, do: func(b *balancer, all []route.Member) {
			for _, m := range all {
				b.begin(m.Peer, t0)(lost, t0)
			}
		}},
		"most lose": {rtts: []time.Duration{ms, 30 * ms, 90 * ms}, want: []float64{1, 0, 0}, do: func(b *balancer, all []route.Member) {
			for _, m := range all[:2] {
				b.begin(m.Peer, t0)(lost, t0)
			}
		}},
		"half lose": {rtts: []time.Duration{ms, ms, 30 * ms, 90 * ms}, want: []float64{0, 0, 1, 0}, do: func(b *balancer, all []route.Member) {
			for _, m := range all[:2] {
				b.begin(m.Peer, t0)(lost, t0)
			}
		}},
		"who left says nothing": {rtts: []time.Duration{10 * ms, 90 * ms}, want: []float64{1, 0}, do: func(b *balancer, all []route.Member) {
			b.begin(all[0].Peer, t0.Add(-time.Minute))(left, t0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b, all := newBalancer(), members(c.rtts...)
			if c.do != nil {
				c.do(b, all)
			}
			got := firsts(t, b, all, t0)
			for i, want := range c.want {
				if share := float64(got[i]) / 3000; math.Abs(share-want) > 0.05 {
					t.Errorf("%d has a share of %.2f, want %.2f", i, share, want)
				}
			}
		})
	}
}

// TestEjection has a member lose requests, and come back.
func TestEjection(t *testing.T) {
	b, all := newBalancer(), members(ms, 90*ms)
	first := func(at time.Time) api.PeerID { return b.order(all, at)[0] }
	now := t0
	for _, away := range []time.Duration{ejectFirst, 2 * ejectFirst, 4 * ejectFirst, 8 * ejectFirst, 16 * ejectFirst, ejectMost, ejectMost} {
		late := b.begin(all[0].Peer, now)
		if !b.begin(all[0].Peer, now)(lost, now) {
			t.Errorf("it is asked on after %v", away)
		}
		if late(lost, now.Add(ms)) {
			t.Error("what was under way counts twice")
		}
		if first(now.Add(away-ms)) == all[0].Peer || first(now.Add(away)) != all[0].Peer {
			t.Errorf("it is not away for %v", away)
		}
		now = now.Add(away)
	}
	b.begin(all[0].Peer, now)(answered, now)
	b.begin(all[0].Peer, now)(lost, now)
	if first(now.Add(ejectFirst)) != all[0].Peer {
		t.Error("an answer does not clear it")
	}
}

// TestForgotten has a member be slow once.
func TestForgotten(t *testing.T) {
	b, all := newBalancer(), members(10*ms, 50*ms)
	b.begin(all[0].Peer, t0.Add(-time.Second))(answered, t0)
	for after, want := range map[time.Duration]api.PeerID{0: all[1].Peer, decay: all[1].Peer, 4 * decay: all[0].Peer} {
		if got := b.order(all, t0.Add(after))[0]; got != want {
			t.Errorf("after %v it is %s", after, got.Short())
		}
	}
	// One quick answer does not make it quick, several do.
	n := 0
	for now := t0; b.order(all, now)[0] != all[0].Peer; n++ {
		now = now.Add(time.Second)
		b.begin(all[0].Peer, now.Add(-ms))(answered, now)
	}
	if n < 5 || n > 60 {
		t.Errorf("it counts as slow for %d answers", n)
	}
}

func TestBudget(t *testing.T) {
	b, n := newBalancer(), 0
	for b.repeat() {
		n++
	}
	if n != budget {
		t.Errorf("%d repetitions", n)
	}
	for range 50 {
		b.asked()
	}
	for n = 0; b.repeat(); n++ {
	}
	if n < 9 || n > 10 { // 0.2 has no exact sum
		t.Errorf("%d repetitions of 50 requests", n)
	}
}

func TestSweep(t *testing.T) {
	b := newBalancer()
	for i := range remembered {
		b.begin(api.PeerID(string(rune(i+1))), t0)(answered, t0)
	}
	stays := b.begin("stays", t0.Add(time.Minute))
	if len(b.members) != 1 {
		t.Errorf("%d are remembered", len(b.members))
	}
	stays(answered, t0.Add(time.Minute))
}

func BenchmarkOrder(b *testing.B) {
	rtts := make([]time.Duration, 20)
	for i := range rtts {
		rtts[i] = time.Duration(i+1) * ms
	}
	all, w := members(rtts...), newBalancer()
	for _, m := range all {
		w.begin(m.Peer, t0)(answered, t0)
	}
	for b.Loop() {
		w.order(all, t0)
	}
}
