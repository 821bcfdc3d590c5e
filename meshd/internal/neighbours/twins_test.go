package neighbours

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// TestLives tells nodes that share a key from one that was restarted.
func TestLives(t *testing.T) {
	start := time.Now()
	a, b, c := p2p.InstanceID{1}, p2p.InstanceID{2}, p2p.InstanceID{3}
	type sign struct {
		run p2p.InstanceID
		at  int // seconds
	}
	for name, tc := range map[string]struct {
		signs []sign
		now   int
		want  []string
	}{
		"one":                             {[]sign{{a, 0}, {a, 3}, {a, 30}}, 30, nil},
		"restarted":                       {[]sign{{a, 0}, {a, 30}, {b, 31}, {b, 60}, {c, 61}, {c, 90}}, 90, nil},
		"its last answer comes late":      {[]sign{{a, 0}, {b, 5}, {a, 4}, {b, 30}}, 30, nil},
		"two, for a moment":               {[]sign{{a, 0}, {b, 3}, {a, 9}, {b, 9}}, 9, nil},
		"two":                             {[]sign{{a, 0}, {b, 3}, {a, 9}, {b, 9}, {a, 12}, {b, 12}}, 12, []string{"1", "2"}},
		"two that take turns":             {[]sign{{a, 0}, {b, 5}, {a, 10}, {b, 15}, {a, 20}}, 20, []string{"1", "2"}},
		"one of them is gone":             {[]sign{{a, 0}, {b, 0}, {a, 30}, {b, 30}, {a, 91}}, 91, nil},
		"one of them is away for a while": {[]sign{{a, 0}, {b, 0}, {a, 30}, {b, 30}, {a, 80}}, 80, []string{"1", "2"}},
		"three":                           {[]sign{{a, 0}, {b, 0}, {c, 0}, {a, 30}, {b, 30}, {c, 30}}, 30, []string{"1", "2", "3"}},
		"two, and one of them restarts":   {[]sign{{a, 0}, {b, 0}, {a, 30}, {b, 20}, {c, 25}, {c, 40}, {a, 41}}, 41, []string{"1", "2", "3"}},
	} {
		tw, p := newTwins(), peer.ID("p")
		for _, s := range tc.signs {
			tw.note(p, s.run, string(rune('0'+s.run[0])), start.Add(time.Duration(s.at)*time.Second))
		}
		if got := tw.conflicts(start.Add(time.Duration(tc.now) * time.Second))[p]; !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v; want %v", name, got, tc.want)
		}
	}
	tw := newTwins()
	tw.note("p", a, "1", start)
	tw.conflicts(start.Add(2 * forgetLife))
	if len(tw.runs) != 0 {
		t.Error("who is gone is not forgotten")
	}
}

// TestTwins has two hosts use one key.
func TestTwins(t *testing.T) {
	d, key := watch(t), meshtest.Key(t)
	for range 2 {
		if err := newHostOf(t, key, true).Connect(t.Context(), meshtest.Info(d.host)); err != nil {
			t.Fatal(err)
		}
	}
	other := newHost(t, true)
	d.connect(t, other, other.Addrs()...)
	var told []string
	start := time.Now()
	until(t, Timeout+3*Interval+5*time.Second, "both are told of", func() bool {
		d.lock.Lock()
		defer d.lock.Unlock()
		told = d.conflicts[meshtest.Peer(t, key)]
		return len(told) == 2 && len(d.conflicts) == 1
	})
	t.Logf("told of %v after %v", told, time.Since(start))
}
