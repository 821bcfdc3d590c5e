package catchup

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

const benchIntents = 10_000

// Benchmark10000BySync brings a node up to date that has missed ten thousand
// intents: two hosts on loopback, a log with fsync on each side.
//
//	go test -run xxx -bench 10000 -benchtime 3x ./internal/catchup
func Benchmark10000BySync(b *testing.B) {
	r := meshtest.NewRealm(b)
	full := newMember(b, r, plan{silent: true, interval: time.Hour})
	full.take(b, many(b, r, benchIntents)...)
	for b.Loop() {
		b.StopTimer()
		empty := newMember(b, r, plan{silent: true, interval: time.Hour})
		empty.connect(b, full)
		b.StartTimer()
		news, err := empty.client.Intents(b.Context(), full.host.ID())
		if err != nil || news != benchIntents {
			b.Fatalf("%d, %v", news, err)
		}
	}
	b.ReportMetric(benchIntents*float64(b.N)/b.Elapsed().Seconds(), "intents/s")
}

// Benchmark10000OneByOne is the same number submitted one after the other, each
// gossiped by itself: the per-intent path.
func Benchmark10000OneByOne(b *testing.B) {
	r := meshtest.NewRealm(b)
	all := many(b, r, benchIntents)
	for b.Loop() {
		b.StopTimer()
		author, listener := newMember(b, r, plan{interval: time.Hour}), newMember(b, r, plan{interval: time.Hour})
		listener.connect(b, author)
		meshtest.Until(b, 10*time.Second, "both gossip", func() bool { return author.gossip.Listens(listener.host.ID()) })
		b.StartTimer()
		for _, s := range all {
			author.submit(b, r, s)
		}
		meshtest.Until(b, time.Minute, "the other has all", func() bool { return listener.keeper.Ledger().Len() == benchIntents })
	}
	b.ReportMetric(benchIntents*float64(b.N)/b.Elapsed().Seconds(), "intents/s")
}
