package keep

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func members(n int) (out []candidate) {
	for i := range n {
		out = append(out, newCandidate(peerID(i)))
	}
	return out
}

// blobs are digests as they come: sums of something.
func blobs(n int) (out []api.Digest) {
	for i := range n {
		out = append(out, api.Sum(binary.BigEndian.AppendUint64(nil, uint64(i))))
	}
	return out
}

func TestKeepersAreTheSameEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20 {
		all := members(n)
		for i, b := range blobs(200) {
			copies := i%api.MaxKeep + 1
			want := keepers(b, copies, all)
			if len(want) != min(n, copies) || !slices.Equal(want[:min(n, 1)], keepers(b, 1, all)) {
				t.Fatalf("%d of %d members", len(want), n)
			}
			r.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
			if got := keepers(b, copies, all); !slices.Equal(got, want) {
				t.Fatalf("in another order: %v, want %v", got, want)
			}
			for _, c := range all {
				if c.keeps(b, copies, all) != slices.Contains(want, c.peer) {
					t.Fatalf("%s keeps it: %v; keepers are %v", c.peer, c.keeps(b, copies, all), want)
				}
			}
			stranger := newCandidate(peerID(99))
			if stranger.keeps(b, copies, all) != slices.Contains(keepers(b, copies, append(all, stranger)), stranger.peer) {
				t.Fatal("whether a member would keep it is another answer than whether it does")
			}
		}
	}
}

// Who is there or not moves only what that member keeps.
func TestLeastMovement(t *testing.T) {
	all := members(9)
	for _, b := range blobs(2000) {
		before := keepers(b, api.Copies, all)
		for i, gone := range all {
			rest := slices.Delete(slices.Clone(all), i, i+1)
			after := keepers(b, api.Copies, rest)
			stay := slices.DeleteFunc(slices.Clone(before), func(p api.PeerID) bool { return p == gone.peer })
			if !slices.Equal(after[:len(stay)], stay) {
				t.Fatalf("without %s: %v, was %v", gone.peer, after, before)
			}
		}
	}
}

func TestBalance(t *testing.T) {
	const blobCount = 10_000
	for _, n := range []int{4, 5, 10, 50} {
		kept, ranks := map[api.PeerID]int{}, map[api.PeerID]int{}
		all := members(n)
		for _, b := range blobs(blobCount) {
			for i, p := range keepers(b, api.Copies, all) {
				kept[p]++
				if i == 0 {
					ranks[p]++
				}
			}
		}
		for _, c := range all {
			if fair := blobCount * api.Copies / n; kept[c.peer] < fair*85/100 || kept[c.peer] > fair*115/100 {
				t.Errorf("of %d members one keeps %d blobs, and %d are fair", n, kept[c.peer], fair)
			}
			if fair := blobCount / n; ranks[c.peer] < fair*70/100 || ranks[c.peer] > fair*130/100 {
				t.Errorf("of %d members one is the first for %d blobs, and %d are fair", n, ranks[c.peer], fair)
			}
		}
	}
}

// Pairs of members are together as often as chance has it: what two of them lose is
// spread over all others.
func TestPairsAreSpread(t *testing.T) {
	const n = 8
	pairs, all := map[[2]api.PeerID]int{}, members(n)
	for _, b := range blobs(8000) {
		list := keepers(b, api.Copies, all)
		slices.Sort(list)
		for i := range list {
			for j := range i {
				pairs[[2]api.PeerID{list[j], list[i]}]++
			}
		}
	}
	fair := 8000 * api.Copies * (api.Copies - 1) / (n * (n - 1))
	if len(pairs) != n*(n-1)/2 {
		t.Errorf("%d pairs", len(pairs))
	}
	for p, k := range pairs {
		if k < fair*80/100 || k > fair*120/100 {
			t.Errorf("%v keep %d blobs together, %d are fair", p, k, fair)
		}
	}
}

// What all members of all versions have to compute alike.
func TestScores(t *testing.T) {
	d := api.Sum([]byte("blob"))
	const want = 0x7c5611d2dc59f484 // by another program
	got := newCandidate("12D3KooWMo5gRbZQ4vRn2bkAA8T5BG1XXwF2pTsedRDBCuBhJQN2").score(d)
	if got != want {
		t.Errorf("the score is %#x, want %#x", got, uint64(want))
	}
}

// 50,000 blobs, of 50 members.
func BenchmarkKeeps(b *testing.B) {
	all, list := members(50), blobs(50_000)
	for b.Loop() {
		for _, d := range list {
			all[0].keeps(d, api.Copies, all)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/blob")
}
