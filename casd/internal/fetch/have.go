package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

// Lines tells what this node has of a blob, as [api.Have] says.
type Lines struct {
	fetcher *Fetcher
	from    *transfer // nil: it is not being fetched
	only    *api.Have // the line to tell in that case
	feed    *feed     // set with the first line
	seen    int       // events of it
	done    bool
}

// Have tells what this node has of a blob. from, who asks, is fetching it: if this
// node is, too, it asks in return. Errors: [store.ErrNotFound] when nothing of the
// blob is here, nor on its way.
func (f *Fetcher) Have(blob api.Digest, from api.PeerID) (*Lines, error) {
	f.mu.Lock()
	t := f.transfers[blob]
	f.mu.Unlock()
	if t == nil {
		return f.still(blob)
	}
	if from != "" {
		t.add(from, true)
	}
	return &Lines{fetcher: f, from: t}, nil
}

// still tells of a blob that is not being fetched.
func (f *Fetcher) still(blob api.Digest) (*Lines, error) {
	idx, err := f.parts.Store.Index(blob)
	if err == nil {
		return &Lines{only: &api.Have{Index: digest(idx), Chunks: len(idx.Chunks), Whole: true}}, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("tell of blob: %w", err)
	}
	if idx, err = f.parts.Store.Partial(blob); err != nil {
		return nil, fmt.Errorf("tell of blob: %w", err)
	}
	missing := map[api.Digest]bool{}
	for _, c := range f.parts.Store.Missing(idx) {
		missing[c.SHA256] = true
	}
	has := newBits(len(idx.Chunks))
	for i, c := range idx.Chunks {
		if !missing[c.SHA256] {
			has.set(int32(i)) //nolint:gosec // at most api.MaxChunks
		}
	}
	return &Lines{only: &api.Have{Index: digest(idx), Chunks: len(idx.Chunks), Has: has}}, nil
}

// Next waits for the next line. [io.EOF] is the end. Other errors: that of ctx.
func (l *Lines) Next(ctx context.Context) (api.Have, error) {
	switch {
	case l.done:
		return api.Have{}, io.EOF
	case l.only != nil:
		l.done = true
		return *l.only, nil
	case l.feed != nil:
		return l.feed.next(ctx, l)
	}
	var err error
	if l.feed, err = l.from.follows(ctx); err != nil {
		return api.Have{}, err
	}
	if l.feed != nil {
		return l.feed.first(l), nil
	}
	still, err := l.fetcher.still(l.from.blob) // it has ended meanwhile
	if errors.Is(err, store.ErrNotFound) {
		l.done = true
		return api.Have{}, io.EOF
	}
	if err != nil {
		return api.Have{}, err
	}
	*l = *still
	return l.Next(ctx)
}

// follows waits until the transfer has a feed; it is nil if the transfer ends before.
func (t *transfer) follows(ctx context.Context) (*feed, error) {
	for {
		t.mu.Lock()
		planned, feed := t.planned, t.feed
		t.mu.Unlock()
		if feed != nil {
			return feed, nil
		}
		select {
		case <-planned:
		case <-t.done:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
