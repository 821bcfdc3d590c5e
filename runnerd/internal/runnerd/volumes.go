package runnerd

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/folders"
	"github.com/realm-mesh/realm/runnerd/internal/holders"
	"github.com/realm-mesh/realm/runnerd/internal/unpack"
	"github.com/realm-mesh/realm/runnerd/internal/volume"
)

const (
	// obeyAgain is how long what could not be done with a volume waits.
	obeyAgain = 10 * time.Second
	// tellAgain is how often others are told of volumes although nothing is news: a meshd
	// that starts again knows of none.
	tellAgain = 30 * time.Second
)

// volumes keeps the volumes of this node as the owner has decided, and what is known of
// those of other members.
type volumes struct {
	*volume.Manager
	holders *holders.Holders
	folders *folders.Node
	book    *wanted.Book
	self    api.PeerID
	key     crypto.Signer
	held    func()                                // is told when others than before may have volumes
	tell    func(context.Context, [][]byte) error // has meshd tell others
	realm   atomic.Pointer[realmView]
	due     chan struct{} // something may be to be done
	wake    chan struct{} // something may be to be told
	log     *slog.Logger
}

// realmView is what a look at volumes needs of the realm.
type realmView struct {
	id      api.RealmID // empty: there is none yet
	members map[api.PeerID]bool
}

func newVolumes(home paths.Home, blobs unpack.Blobs, host *admit.Node, book *wanted.Book, self api.PeerID, key crypto.Signer, log *slog.Logger) (*volumes, error) {
	v := &volumes{book: book, self: self, key: key, held: func() {}, due: make(chan struct{}, 1), wake: make(chan struct{}, 1), log: log}
	v.look()
	if err := os.MkdirAll(home.State(api.Runnerd), 0o700); err != nil {
		return nil, fmt.Errorf("open volumes: %w", err)
	}
	files, err := unpack.Open(home.Files(), blobs)
	if err != nil {
		return nil, err
	}
	v.Manager, err = volume.Open(volume.Config{Dir: home.Volumes(), Self: self, Realm: v.ofRealm, Decided: v.decided, Unpack: files.Into, Changed: v.rouse, Log: log})
	if err != nil {
		return nil, err
	}
	if v.holders, err = holders.Open(home.Holdings()); err != nil {
		return nil, err
	}
	if v.folders, err = folders.New(host, files, v.Manager, home.Work()); err != nil {
		return nil, err
	}
	return v, nil
}

// decided is what the owner has decided of a volume.
func (v *volumes) decided(n api.Name) api.Volume {
	d, _ := v.book.Volume(n)
	return d
}

// ofRealm is the realm that the node is of; empty: none yet.
func (v *volumes) ofRealm() api.RealmID {
	if v.realm.Load().id == "" {
		v.look() // it may have been claimed a moment ago
	}
	return v.realm.Load().id
}

// look takes down who is a member.
func (v *volumes) look() {
	view := &realmView{members: map[api.PeerID]bool{v.self: true}}
	if id, ok := v.book.Realm(); ok {
		view.id = id
	}
	for _, p := range v.book.Members() {
		view.members[p] = true
	}
	v.realm.Store(view)
}

// Holders are the members that have a copy of a volume which counts, by id.
func (v *volumes) Holders(n api.Name) (out []api.PeerID) {
	view, d := v.realm.Load(), v.decided(n)
	for _, h := range v.holders.Of(view.id, n) {
		if view.members[h.Peer] && d.Counts(h.Peer, h.Epoch) {
			out = append(out, h.Peer)
		}
	}
	return out
}

// wanted takes note of what has changed of what is signed.
func (v *volumes) wanted(c wanted.Change) {
	if c.Members || c.Volumes {
		v.rouse()
	}
}

// record takes note of what a member tells of itself, and of others that are away.
func (v *volumes) record(rec *api.PeerRecord) {
	news, err := v.holders.Told(rec.Holdings)
	if err != nil {
		v.log.Warn("what is known of volumes is not on disk", telemetry.Error(err))
	}
	if v.holders.SetLive(rec.Peer, rec.Live && !rec.Client) || news {
		v.rouse()
	}
}

func (v *volumes) recordGone(p api.PeerID) {
	if v.holders.SetLive(p, false) {
		v.rouse()
	}
}

func (v *volumes) rouse() {
	for _, c := range []chan struct{}{v.due, v.wake} {
		select {
		case c <- struct{}{}:
		default: // it will be looked at anyway
		}
	}
}

// run looks after the volumes until ctx ends, from when all intents are known.
func (v *volumes) run(ctx context.Context, known <-chan struct{}) error {
	select {
	case <-known:
	case <-ctx.Done():
		return nil
	}
	return task.Run(ctx, v.obey, v.speak)
}

// obey does what was decided of the volumes here, which may have to wait for files.
func (v *volumes) obey(ctx context.Context) error {
	return whenever(ctx, v.due, func() time.Duration {
		if err := v.Obey(ctx, v.book.Volumes()); err != nil && ctx.Err() == nil {
			v.log.Warn("what was decided of volumes is not done yet", telemetry.Error(err))
			return obeyAgain
		}
		return tellAgain
	})
}

// speak tells others, and this node itself, who has volumes.
func (v *volumes) speak(ctx context.Context) error {
	return whenever(ctx, v.wake, func() time.Duration {
		v.look()
		wait := tellAgain
		if err := v.state(); err != nil { //nolint:contextcheck // signing waits for nothing
			v.log.Warn("this node cannot say which volumes it has", telemetry.Error(err))
			wait = obeyAgain
		}
		v.held()
		say := v.holders.Tell(v.self, func(p api.PeerID) bool { return v.realm.Load().members[p] })
		if err := v.tell(ctx, say); err != nil && ctx.Err() == nil {
			v.log.Debug("others are not told of volumes yet", telemetry.Error(err))
			wait = obeyAgain
		}
		return wait
	})
}

// whenever does something at once, whenever wake has a value, and after as long as it says
// itself, until ctx ends.
func whenever(ctx context.Context, wake <-chan struct{}, do func() time.Duration) error {
	for ctx.Err() == nil {
		again := time.NewTimer(do())
		select {
		case <-ctx.Done():
		case <-wake:
		case <-again.C:
		}
		again.Stop()
	}
	return nil
}

// state signs which volumes are here, if that is news.
func (v *volumes) state() error {
	id, is := v.ofRealm(), v.Held()
	seq, said := v.holders.Last(v.self)
	if id == "" || slices.Equal(is, said) && (seq > 0 || len(is) == 0) {
		return nil
	}
	// The number grows also where the file of the ones before was lost.
	next := max(seq+1, uint64(max(0, time.Now().UnixMilli()))) //nolint:gosec // not below 0
	raw, err := intent.SignHoldings(api.Holdings{Realm: id, Peer: v.self, Seq: next, Volumes: is}, v.key)
	if err != nil {
		return err
	}
	_, err = v.holders.Told([][]byte{raw})
	return err
}
