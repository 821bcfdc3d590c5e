package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
)

// Verdict is what a check says of a message.
type Verdict int

// The verdicts.
const (
	Accept  Verdict = iota // pass it on and deliver it
	Ignore                 // neither, and nobody is to blame
	Useless                // neither: it is of long ago, or nobody has a say in it; who sends very many such is to blame
	Reject                 // neither, and who sent it is to blame: it is forged, or not its author's right
	Garbage                // neither, and who sent it is to blame: it cannot be read
)

func (v Verdict) String() string {
	return [...]string{"accepted", "ignored", "useless", "rejected", "garbage"}[v]
}

// result is what gossipsub makes of v.
func (v Verdict) result() pubsub.ValidationResult {
	switch v {
	case Accept:
		return pubsub.ValidationAccept
	case Reject, Garbage:
		return pubsub.ValidationReject
	default:
		return pubsub.ValidationIgnore
	}
}

// Message is what a check looks at.
type Message struct {
	Author peer.ID // whose signature it carries
	From   peer.ID // the neighbour that has passed it on
	Data   []byte
}

// Topic is something that members talk about.
type Topic struct {
	Name string
	Max  int // bytes of a message
	// PassedOn is what a neighbour may hand over, Said what one author may say.
	PassedOn, Said conduct.Class
	// Check judges a message before it is passed on. What it returns besides is
	// handed to Deliver. It is called by several goroutines, also for messages that
	// have been judged before.
	Check func(m Message) (Verdict, any)
	// Deliver takes accepted messages of other members, one at a time.
	Deliver func(ctx context.Context, author peer.ID, checked any)
}

// Config says what to gossip about, and with whom.
type Config struct {
	Realm   api.RealmID
	Topics  []Topic
	Conduct *conduct.Book
	// Member reports whether somebody is a member: what others say is ignored.
	Member func(author peer.ID) bool
	// Missed is told that from has something which could not be taken now: too much
	// has come at once, or its author is not known yet. It must not block.
	Missed func(from peer.ID)
	Log    *slog.Logger
	Count  func(topic string, v Verdict) // of messages of others; for metrics
}

// Gossip is a node's part in the gossip of its realm.
type Gossip struct {
	cfg    Config
	self   peer.ID
	topics map[string]*pubsub.Topic
	subs   []*pubsub.Subscription
}

// Join registers h for gossip: it must be called before h listens. The gossip
// works until ctx ends.
func Join(ctx context.Context, h host.Host, cfg Config) (*Gossip, error) {
	g := &Gossip{cfg: cfg, self: h.ID(), topics: map[string]*pubsub.Topic{}}
	ps, err := pubsub.NewGossipSub(ctx, h, g.options()...)
	if err != nil {
		return nil, fmt.Errorf("join gossip: %w", err)
	}
	for _, t := range cfg.Topics {
		if err := g.join(ps, t); err != nil {
			return nil, fmt.Errorf("join gossip on %s: %w", t.Name, err)
		}
	}
	return g, nil
}

func (g *Gossip) options() []pubsub.Option {
	cfg := g.cfg
	ids, feature := protocols(cfg.Realm)
	params, thresholds := score(cfg.Topics, cfg.Conduct.Score)
	var names []string
	for _, t := range cfg.Topics {
		names = append(names, t.Name)
	}
	return []pubsub.Option{
		pubsub.WithGossipSubProtocols(ids, feature),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictSign),
		pubsub.WithMaxMessageSize(api.MaxMessage + rpcOverhead),
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerScore(params, thresholds),
		pubsub.WithSeenMessagesTTL(seenFor),
		pubsub.WithPeerOutboundQueueSize(outboundQueue),
		pubsub.WithValidateQueueSize(validateQueue),
		pubsub.WithAppSpecificRpcInspector(g.inspect),
		pubsub.WithRawTracer(tracer{g: g}),
		pubsub.WithSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(names...)),
		pubsub.WithLogger(cfg.Log),
		pubsub.WithRPCLogger(cfg.Log),
	}
}

func (g *Gossip) join(ps *pubsub.PubSub, t Topic) error {
	check := func(_ context.Context, _ peer.ID, m *pubsub.Message) pubsub.ValidationResult {
		return g.check(t, m)
	}
	// In line: what waits for its check waits in one bounded queue, and in order.
	err := ps.RegisterTopicValidator(t.Name, pubsub.ValidatorEx(check), pubsub.WithValidatorInline(true))
	if err != nil {
		return err
	}
	topic, err := ps.Join(t.Name)
	if err != nil {
		return err
	}
	sub, err := topic.Subscribe(pubsub.WithBufferSize(deliverQueue))
	if err != nil {
		return err
	}
	g.topics[t.Name], g.subs = topic, append(g.subs, sub)
	return nil
}

// Run delivers messages until ctx, or that given to [Join], ends.
func (g *Gossip) Run(ctx context.Context) error {
	var fns []func(context.Context) error
	for i, t := range g.cfg.Topics {
		fns = append(fns, func(ctx context.Context) error { return g.deliver(ctx, t, g.subs[i]) })
	}
	return task.Run(ctx, fns...)
}

func (g *Gossip) deliver(ctx context.Context, t Topic, sub *pubsub.Subscription) error {
	defer sub.Cancel()
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, pubsub.ErrSubscriptionCancelled) {
				return nil
			}
			return fmt.Errorf("gossip on %s: %w", t.Name, err)
		}
		if m.GetFrom() != g.self {
			t.Deliver(ctx, m.GetFrom(), m.ValidatorData)
		}
	}
}

// Listens reports whether p is known to listen to all topics.
func (g *Gossip) Listens(p peer.ID) bool {
	for _, t := range g.topics {
		if !slices.Contains(t.ListPeers(), p) {
			return false
		}
	}
	return true
}

// Publish sends data to all members that can be reached; nobody there is no error.
func (g *Gossip) Publish(ctx context.Context, topic string, data []byte) error {
	if len(data) > api.MaxMessage {
		return fmt.Errorf("gossip on %s: %w: %d bytes", topic, api.ErrTooLarge, len(data))
	}
	if err := g.topics[topic].Publish(ctx, data); err != nil {
		return fmt.Errorf("gossip on %s: %w", topic, err)
	}
	return nil
}
