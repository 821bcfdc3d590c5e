package folders

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/runnerd/internal/volume"
)

// ErrRefused says that this node cannot give a program what it mounts, and why; others may.
var ErrRefused = volume.ErrRefused

// Host opens folders of the host.
type Host interface {
	// Open opens folders until closeAll is called, once no guest sees them any more. An
	// error says why this node does not give one, and what to do.
	Open(mounts []api.Mount) (_ []engine.Mount, closeAll func(), err error)
}

// Files opens the files of an archive, read-only, until release is called.
type Files interface {
	Files(ctx context.Context, b api.BlobInfo) (root *os.Root, release func(), err error)
}

// Node gives what a node has. It is safe for use by several goroutines.
type Node struct {
	host    Host
	files   Files
	volumes *volume.Manager
	work    string // folder of the work folders
}

// New returns a Node whose work folders are below work. What is there is removed.
func New(host Host, files Files, volumes *volume.Manager, work string) (*Node, error) {
	err := os.RemoveAll(work)
	if err == nil {
		err = os.MkdirAll(work, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("remove work folders that were left: %w", err)
	}
	return &Node{host: host, files: files, volumes: volumes, work: work}, nil
}

// Set is what a version of a workload has open. It is safe for use by several goroutines.
type Set struct {
	work    string
	mounts  []engine.Mount // of work folders there is no folder
	works   map[int]int64  // which of mounts those are, and how many bytes they hold
	volumes []*volume.Use
	close   []func()
	once    sync.Once
}

// Open opens what a component of this name mounts. Errors: those that say [ErrRefused] are of
// this node; a [*program.RefusedError] is of the component; others may pass.
func (n *Node) Open(ctx context.Context, name api.Name, mounts []api.Mount) (_ *Set, err error) {
	s := &Set{work: n.work, works: map[int]int64{}}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for i := range mounts {
		m := &mounts[i]
		if m.Kind == api.MountWork {
			s.works[len(s.mounts)] = m.Limit()
			s.mounts = append(s.mounts, engine.Mount{Guest: m.Guest})
			continue
		}
		f, err := n.open(ctx, s, name, m)
		if err != nil {
			return nil, err
		}
		s.mounts = append(s.mounts, engine.Mount{Guest: m.Guest, Folder: f})
	}
	return s, nil
}

// open opens one folder that all replicas of the version see.
func (n *Node) open(ctx context.Context, s *Set, name api.Name, m *api.Mount) (*mount.Folder, error) {
	switch m.Kind {
	case api.MountHost:
		out, closeAll, err := n.host.Open([]api.Mount{*m})
		if err != nil {
			return nil, refused(err)
		}
		s.close = append(s.close, closeAll)
		return out[0].Folder, nil
	case api.MountStatic, api.MountConfig:
		root, release, err := n.files.Files(ctx, *m.Files)
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.Guest, err)
		}
		s.close = append(s.close, release)
		return mount.New(root, true), nil
	case api.MountState:
		use, err := n.volumes.Use(ctx, volume.Ask{Volume: m.Volume, User: name, Seed: m.Files, Limit: m.Limit()})
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.Guest, err)
		}
		s.close = append(s.close, use.Close)
		s.volumes = append(s.volumes, use)
		f, err := use.Folder(m.RO)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, func() { _ = f.Close() }) // it holds a descriptor alone
		return f, nil
	case api.MountWork:
	}
	return nil, refused(fmt.Errorf("mount %s: kind %s is of a newer version of Realm: upgrade this node", m.Guest, m.Kind))
}

// refused makes err one of this node's own.
func refused(err error) error { return fmt.Errorf("%w: %w", ErrRefused, err) }

// Replica is what one replica sees, until end is called, once it has ended.
func (s *Set) Replica() (mounts []engine.Mount, end func(), err error) {
	if len(s.works) == 0 {
		return s.mounts, func() {}, nil
	}
	dir, err := os.MkdirTemp(s.work, "")
	if err != nil {
		return nil, nil, fmt.Errorf("make work folder: %w", err)
	}
	var open []*mount.Folder
	end = sync.OnceFunc(func() {
		for _, f := range open {
			_ = f.Close() // what is in it goes
		}
		_ = os.RemoveAll(dir) // what stays, the next start removes
	})
	mounts = append([]engine.Mount{}, s.mounts...)
	for i, limit := range s.works {
		f, err := workFolder(filepath.Join(dir, fmt.Sprint(i)), limit)
		if err != nil {
			end()
			return nil, nil, err
		}
		open = append(open, f)
		mounts[i].Folder = f
	}
	return mounts, end, nil
}

// workFolder makes an empty folder that holds at most limit bytes.
func workFolder(dir string, limit int64) (*mount.Folder, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make work folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("make work folder: %w", err)
	}
	quota, err := mount.NewQuota(root, limit)
	if err != nil {
		_ = root.Close() // it is empty
		return nil, fmt.Errorf("make work folder: %w", err)
	}
	f := mount.New(root, false)
	f.Bound(quota)
	return f, nil
}

// Establish says that a replica has come up: what it keeps its state in is kept from now on.
func (s *Set) Establish() {
	for _, u := range s.volumes {
		u.Establish()
	}
}

// Close gives everything back, once no guest sees it any more. It may be called more than
// once.
func (s *Set) Close() {
	s.once.Do(func() {
		for i := len(s.close) - 1; i >= 0; i-- {
			s.close[i]()
		}
	})
}
