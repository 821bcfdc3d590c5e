package gatewayd

import (
	"context"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/clock"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/ingress"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/internal/kit/wanted/feed"
)

// intents are what is signed, as gatewayd itself has checked it.
type intents struct {
	env   *daemon.Env
	book  *wanted.Book
	marks *trust.Marks
	clock *clock.Clock
}

func newIntents(env *daemon.Env) (*intents, error) {
	marks, err := trust.OpenMarks(env.Home.Marks(api.Gatewayd))
	if err != nil {
		return nil, err
	}
	c := clock.Open(env.Home.Clock())
	return &intents{env, wanted.New(wanted.Config{
		Pin:   func() (trust.Pin, error) { return trust.ReadPin(env.Home.Pin()) },
		Marks: marks, Now: c.Now, Log: env.Log,
	}), marks, c}, nil
}

// run tells of all that is wanted, and then of what changes, until ctx ends.
func (in *intents) run(ctx context.Context, tell func(wanted.Change)) error {
	b, err := in.env.Bus.Bucket(ctx, api.BucketIntents)
	if err != nil {
		return err
	}
	return feed.New(b, in.book, in.clock.Now, tell, in.env.Log).Run(ctx)
}

// roles says whether the node self is an edge now: by what is signed, or else by its own
// settings.
func (in *intents) roles(self api.PeerID) (isEdge func() bool) {
	own := in.env.Config.Roles
	return func() bool {
		roles, _ := in.book.Terms(self, own)
		return slices.Contains(roles, ingress.RoleEdge)
	}
}

func (in *intents) close() {
	in.marks.Close()
	in.clock.Close()
}
