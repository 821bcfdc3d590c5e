package keep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

const (
	// knowWithin is how long who asks for copies waits for a node that has just come up.
	knowWithin = 10 * time.Second
	// maxAsked is how many members are asked that keep a blob by chance.
	maxAsked = 8
)

// errMembers says that nobody can tell yet who keeps what.
var errMembers = errors.New("which members keep blobs is not known to this node: it takes part in no realm, or its meshd is not up yet; see realm ps, and try again")

// Copies tells who has a blob, as those say who should keep it. Where none of them has
// it, nor this node, others are asked that may.
func (k *Keeper) Copies(ctx context.Context, blob api.Digest) (api.BlobCopies, error) {
	wait, cancel := context.WithTimeout(ctx, knowWithin)
	defer cancel()
	select {
	case <-k.planned:
	case <-wait.Done():
		return api.BlobCopies{}, errMembers
	}
	k.mu.Lock()
	of, self := k.needs.of(blob), k.roster.self
	who := keepers(blob, copiesOf(of), k.all)
	k.mu.Unlock()
	out := api.BlobCopies{BlobInfo: api.BlobInfo{SHA256: blob}, Needed: len(of) > 0, Want: len(who), Keepers: who}
	if len(of) > 0 {
		out.Size = of[0].Size
	}
	here := k.parts.Has(blob)
	if info, err := k.parts.Info(blob); here && err == nil {
		out.Size = info.Size
	}
	ask := slices.DeleteFunc(slices.Clone(who), func(p api.PeerID) bool { return p == self })
	answers := k.askAll(ctx, ask, blob)
	if here { // in its place by rank, or after the keepers
		own := slices.Index(who, self)
		if own < 0 {
			own = len(answers)
		}
		answers = slices.Insert(answers, own, answer{peer: self, has: true, size: -1})
	}
	put(&out, answers, true)
	if len(out.Have) == 0 {
		put(&out, k.askAll(ctx, k.mayHave(ctx, blob, who), blob), false)
	}
	k.note(blob, len(out.Have), out.Want)
	return out, nil
}

// put adds what members have answered; keepers that have not are away.
func put(c *api.BlobCopies, answers []answer, keepers bool) {
	for _, a := range answers {
		switch {
		case a.has:
			c.Have = append(c.Have, a.peer)
			if c.Size == 0 && a.size <= api.MaxBlob { // what the realm says counts more
				c.Size = max(a.size, 0)
			}
		case a.err != nil && keepers:
			c.Away = append(c.Away, a.peer)
		}
	}
}

// mayHave are members apart from those that have been asked.
func (k *Keeper) mayHave(ctx context.Context, blob api.Digest, asked []api.PeerID) []api.PeerID {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Ask)
	defer cancel()
	all, err := k.parts.Providers(ctx, blob)
	if err != nil {
		return nil // that the keepers lack it is known all the same
	}
	all = slices.DeleteFunc(slices.Clone(all), func(p api.PeerID) bool { return slices.Contains(asked, p) })
	return all[:min(len(all), maxAsked)]
}

func (k *Keeper) serveCopies(w http.ResponseWriter, r *http.Request) {
	blob, err := api.ParseDigest(r.PathValue("sha256"))
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	c, err := k.Copies(r.Context(), blob)
	if err != nil {
		local.WriteError(w, http.StatusServiceUnavailable, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, c)
}

// ConfirmElsewhere returns nil if this node need not have a blob, and so many others
// that keep it as there should be copies have just vouched that they have it whole. The
// caller has a minute to remove it, and looks once more whether it is needed here. So
// long this node does not vouch for it, also where it becomes its keeper meanwhile.
func (k *Keeper) ConfirmElsewhere(ctx context.Context, blob api.Digest) (err error) {
	k.mu.Lock()
	self, all, copies, stays := k.roster.self, slices.Clone(k.all), k.needs.copies(blob), k.neededHere(blob)
	if !stays {
		k.goes.begin(blob)
	}
	k.mu.Unlock()
	if stays {
		return errors.New("this node keeps it itself")
	}
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.goes.end(blob, err == nil, time.Now())
	}()
	all = slices.DeleteFunc(all, func(c candidate) bool { return c.peer == self })
	who := keepers(blob, copies, all)
	if len(who) < copies {
		return fmt.Errorf("only %d other members can keep it", len(who))
	}
	for _, a := range k.askAll(ctx, who, blob) {
		switch {
		case a.err != nil:
			return fmt.Errorf("%s: %w", a.peer.Short(), a.err)
		case !a.has:
			return fmt.Errorf("%s lacks it", a.peer.Short())
		case !a.vouches:
			return fmt.Errorf("%s has it, and does not keep it", a.peer.Short())
		}
	}
	return nil
}
