package keep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// answer is what another member says of a blob.
type answer struct {
	peer    api.PeerID
	has     bool  // whole
	vouches bool  // it keeps it, too
	size    int64 // of the blob; -1: not told
	err     error // it has not answered
}

// ask asks a member about a blob.
func (k *Keeper) ask(ctx context.Context, p api.PeerID, blob api.Digest) (a answer) {
	a = answer{peer: p, size: -1}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, local.URL(api.Meshd, api.PathPeer(p, api.ServiceBlob, api.PathBlob(blob))), nil)
	if err != nil {
		a.err = err
		return a
	}
	resp, err := k.parts.Client.Do(req)
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		a.has, a.size = true, resp.ContentLength
		a.vouches = resp.Header.Get(api.HeaderKeeper) == "1"
	case http.StatusNotFound:
	default:
		a.err = fmt.Errorf("it answers %s", resp.Status)
	}
	return a
}

// errTime says that a member has not answered in time.
var errTime = errors.New("it does not answer in time")

// askAll asks several members side by side, for as long as they have to answer. The
// answers are in the order of peers.
func (k *Keeper) askAll(ctx context.Context, peers []api.PeerID, blob api.Digest) []answer {
	ctx, cancel := context.WithTimeoutCause(ctx, k.cfg.Ask, errTime)
	defer cancel()
	out := make([]answer, len(peers))
	var asking sync.WaitGroup
	for i, p := range peers {
		asking.Go(func() { out[i] = k.ask(ctx, p, blob) })
	}
	asking.Wait()
	return out
}
