package conduct

import "golang.org/x/time/rate"

// Class is a kind of thing that a peer may send so much of.
type Class int

// The classes. Those of messages that are passed on are for all that a neighbour
// hands over, of whatever author; those that are said, for one author.
const (
	Frames          Class = iota // of gossip, of any content
	IntentsPassedOn              // by gossip
	IntentsSaid                  //
	FactsPassedOn                // by gossip
	FactsSaid                    //
	RecordsPassedOn              // of jobs, by gossip: messages of many
	RecordsSaid                  //
	UselessMessages              // by gossip, of long ago, or of no use
	SyncRequests                 // weighed by the work that they are
	EnrollRequests               //
	classes
)

// quota is a token bucket of messages, and one of bytes.
type quota struct {
	each  rate.Limit // messages a second
	burst int
	bytes rate.Limit // a second; 0: they are not counted
	room  int        // of bytes
}

// quota of a class for one peer. What a build server pushes at once, as fast as a
// disk takes it and as much as a set holds, is no attack, neither of its node nor of
// those that pass it on; a node with thousands of programs says so in hundreds of
// messages of facts, again when a neighbour comes.
func (c Class) quota() quota {
	return [...]quota{
		Frames:          {each: 4_000, burst: 200_000},
		IntentsPassedOn: {each: 1_000, burst: 100_000, bytes: 8 << 20, room: 256 << 20},
		IntentsSaid:     {each: 1_000, burst: 40_000, bytes: 8 << 20, room: 128 << 20},
		FactsPassedOn:   {each: 1_000, burst: 20_000, bytes: 4 << 20, room: 64 << 20},
		FactsSaid:       {each: 30, burst: 2_000, bytes: 1 << 20, room: 32 << 20},
		RecordsPassedOn: {each: 1_000, burst: 20_000, bytes: 8 << 20, room: 128 << 20},
		RecordsSaid:     {each: 60, burst: 2_000, bytes: 2 << 20, room: 32 << 20},
		UselessMessages: {each: 20, burst: 1_000},
		SyncRequests:    {each: 50, burst: 2_000},
		EnrollRequests:  {each: 0.2, burst: 5},
	}[c]
}

// bucket is what is left of a quota.
type bucket struct{ messages, bytes *rate.Limiter }

func newBucket(q quota) *bucket {
	b := &bucket{messages: rate.NewLimiter(q.each, q.burst)}
	if q.bytes > 0 {
		b.bytes = rate.NewLimiter(q.bytes, q.room)
	}
	return b
}
