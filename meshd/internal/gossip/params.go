package gossip

import (
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
)

const (
	// rpcOverhead is what a frame adds to its message: author, signature, topic.
	rpcOverhead = 4 << 10
	// seenFor is how long a message id is remembered. Older copies still die: by
	// the marks of intents and the order of fact batches.
	seenFor       = 2 * time.Minute
	outboundQueue = 1024 // frames towards one slow peer, before new ones are dropped
	validateQueue = 4096
	deliverQueue  = 4096
)

// Scores. A rejected message costs invalidWeight times the square of their number,
// which decays to half in about a minute: after four within it, what a peer sends
// is dropped unread.
const (
	invalidWeight   = -10.0
	invalidDecay    = 0.9
	behaviourWeight = -1.0
	// Grafts too early, promises not kept. A member that restarts cleanly grafts within
	// the back-off of its own goodbye, which counts up to four times: seven restarts in a
	// row are no misconduct.
	behaviourAllowed  = 30.0
	behaviourDecay    = 0.9
	decayInterval     = 10 * time.Second
	decayToZero       = 0.01
	retainScore       = 10 * time.Minute // a peer that reconnects has not been forgiven
	gossipThreshold   = -30.0
	publishThreshold  = -80.0
	graylistThreshold = -conduct.IgnoreAt
)

// protocols are gossipsub's own versions under the realm's name.
func protocols(r api.RealmID) (ids []protocol.ID, feature pubsub.GossipSubFeatureTest) {
	prefix := protocol.ID("/realm/" + string(r))
	plain := []protocol.ID{pubsub.GossipSubID_v12, pubsub.GossipSubID_v11}
	for _, id := range plain {
		ids = append(ids, prefix+id)
	}
	return ids, func(f pubsub.GossipSubFeature, id protocol.ID) bool {
		i := slices.Index(ids, id)
		return i >= 0 && pubsub.GossipSubDefaultFeatures(f, plain[i])
	}
}

func score(topics []Topic, ours func(peer.ID) float64) (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	p := &pubsub.PeerScoreParams{
		SkipAtomicValidation:      true,
		Topics:                    map[string]*pubsub.TopicScoreParams{},
		AppSpecificScore:          ours,
		AppSpecificWeight:         1,
		IPColocationFactorWeight:  0, // off: see the package's documentation
		BehaviourPenaltyWeight:    behaviourWeight,
		BehaviourPenaltyThreshold: behaviourAllowed,
		BehaviourPenaltyDecay:     behaviourDecay,
		DecayInterval:             decayInterval,
		DecayToZero:               decayToZero,
		RetainScore:               retainScore,
	}
	for _, t := range topics {
		// Too little is said here to expect anything of a peer: only what is wrong counts.
		p.Topics[t.Name] = &pubsub.TopicScoreParams{
			SkipAtomicValidation:           true,
			TopicWeight:                    1,
			TimeInMeshQuantum:              time.Minute, // divides, even without a weight
			InvalidMessageDeliveriesWeight: invalidWeight,
			InvalidMessageDeliveriesDecay:  invalidDecay,
		}
	}
	return p, &pubsub.PeerScoreThresholds{
		SkipAtomicValidation: true,
		GossipThreshold:      gossipThreshold,
		PublishThreshold:     publishThreshold,
		GraylistThreshold:    graylistThreshold,
	}
}
