package cli

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// stand is where a version stands on the mesh.
type stand struct {
	intent.Signed // the one that is followed: a later one, if that asks for the same
	wanted        rollout.Wanted
	rollout.Assessment
	replaced *intent.Signed // it asks for something else: what was asked for comes to nothing
	quietAt  time.Time      // when members that say nothing of it have had time enough
}

// begin has st follow version s.
func (st *stand) begin(s intent.Signed) (err error) {
	st.Signed, st.quietAt = s, time.Now().Add(rollout.QuietAfter)
	st.wanted, err = rollout.WantedOf(s)
	return err
}

// sight is what a watch has seen last, of the workloads that are followed.
type sight struct {
	peers    []api.PeerRecord
	settings map[api.PeerID]api.NodeSettings
	facts    map[api.Ref]rollout.Facts
	intents  map[api.Ref]intent.Signed
	holders  map[api.Name][]api.PeerID // of the volumes of what is followed
}

// manyPace is the least time between two looks at several workloads at once.
const manyPace = 100 * time.Millisecond

// pursue judges what is seen of versions until there is a verdict on each, or ctx ends,
// in which case some are Waiting. show is called whenever it has judged.
func pursue(ctx context.Context, n *node.Node, versions []intent.Signed, show func([]stand)) ([]stand, error) {
	stands := make([]stand, len(versions))
	for i, s := range versions {
		if err := stands[i].begin(s); err != nil {
			return nil, err
		}
	}
	pin, err := readPin(n)
	if err != nil {
		return stands, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	sights, ended := watch(watching, n, pin, versions)
	var roster rollout.Roster
	var seen sight
	recheck := time.NewTimer(rollout.QuietAfter)
	defer recheck.Stop()
	for !allJudged(stands) {
		select {
		case <-ctx.Done():
			return stands, nil
		case err := <-ended:
			if ctx.Err() != nil {
				return stands, nil
			}
			return stands, errors.Join(err, errors.New("the node's state is no longer to be seen"))
		case seen = <-sights:
		case <-recheck.C:
		}
		if seen.facts == nil {
			continue // there is nothing to judge by yet
		}
		next, err := seen.judge(stands, &roster)
		if err != nil {
			return stands, err
		}
		if !next.IsZero() {
			recheck.Reset(time.Until(next))
		}
		show(stands)
	}
	return stands, nil
}

// watch follows what the node knows of versions until ctx ends, and what ended it if
// that was something else.
func watch(ctx context.Context, n *node.Node, pin trust.Pin, versions []intent.Signed) (<-chan sight, <-chan error) {
	scope := node.Scope{Intents: &pin, Pace: manyPace}
	if len(versions) == 1 {
		scope = node.Scope{Intents: &pin, Ref: &versions[0].Ref}
	}
	sights := make(chan sight, 1) // the newest alone
	ended := make(chan error, 1)
	go func() {
		ended <- n.Watch(ctx, scope, func(now node.Snapshot) error { //nolint:contextcheck // reading what is signed waits for nothing
			select {
			case <-sights:
			default:
			}
			sights <- take(now, versions)
			return nil
		})
	}()
	return sights, ended
}

// judge looks where all stand by what was seen. next is when the answer may change by
// the passing of time alone; zero for never.
func (seen sight) judge(all []stand, roster *rollout.Roster) (next time.Time, err error) {
	now := time.Now()
	members, next := roster.Update(seen.peers, now)
	for i := range members {
		members[i].Drained = seen.settings[members[i].Peer].Drain
	}
	for i := range all {
		if err := all[i].assess(seen, members, now); err != nil {
			return next, err
		}
		if t := all[i].quietAt; t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next, nil
}

// upNow are the members that are connected as a snapshot shows it, this node first.
func upNow(s node.Snapshot) []rollout.Member {
	var roster rollout.Roster
	up, _ := roster.Update(s.PeerList(), time.Time{})
	for i := range up {
		up[i].Drained = s.Settings[up[i].Peer].Drain
	}
	return up
}

// take copies of a snapshot what is about versions.
func take(now node.Snapshot, versions []intent.Signed) sight {
	s := sight{now.PeerList(), maps.Clone(now.Settings), map[api.Ref]rollout.Facts{}, map[api.Ref]intent.Signed{}, map[api.Name][]api.PeerID{}}
	for _, v := range versions {
		if w, err := rollout.WantedOf(v); err == nil {
			for _, name := range w.Volumes {
				s.holders[name] = now.Holders(name)
			}
		}
		s.facts[v.Ref] = maps.Clone(now.Facts[v.Ref])
		if cur, ok := now.Intents[v.Ref]; ok {
			s.intents[v.Ref] = cur
		}
	}
	return s
}

func allJudged(all []stand) bool {
	for _, st := range all {
		if st.Outcome == rollout.Waiting {
			return false
		}
	}
	return true
}

// assess looks where st stands now. What was judged once stays so.
func (st *stand) assess(seen sight, members []rollout.Member, now time.Time) error {
	if st.Outcome != rollout.Waiting {
		return nil
	}
	if cur, ok := seen.intents[st.Ref]; ok && cur.Version().Newer(st.Version()) {
		goal := st.wanted.Goal
		if newer, err := rollout.WantedOf(cur); err != nil || newer.Goal != goal {
			st.replaced, st.Outcome = &cur, rollout.Failed
			return nil //nolint:nilerr // what cannot be read is of a newer version of Realm, and somebody else's
		}
		if err := st.begin(cur); err != nil {
			return err
		}
	}
	st.Assessment = rollout.Assess(st.wanted.On(func(v api.Name) []api.PeerID { return seen.holders[v] }), members, seen.facts[st.Ref], !now.Before(st.quietAt))
	return nil
}
