package volume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// open is a copy that programs have: versions of one component, at most two or three.
type open struct {
	users int
	root  *os.Root
	quota *mount.Quota
}

// Ask is what a program wants of a volume.
type Ask struct {
	Volume api.Name
	User   api.Name      // the component
	Seed   *api.BlobInfo // what a new copy begins with; nil: nothing
	Limit  int64         // bytes
}

// Use is a copy that a program has.
type Use struct {
	m    *Manager
	name api.Name
	c    *copied
	o    *open
	end  func()
}

// Use opens the copy of a volume for a program, and makes one if there is none. Errors that
// say [ErrRefused] are of this node; others may pass.
func (m *Manager) Use(ctx context.Context, a Ask) (*Use, error) {
	release, err := m.reserve(ctx, a.Volume)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := m.obey(a.Volume); err != nil {
		return nil, err
	}
	m.mu.Lock()
	c := m.copies[a.Volume]
	m.mu.Unlock()
	if c == nil {
		if c, err = m.make(ctx, a); err != nil {
			return nil, err
		}
	}
	return m.enter(c, a)
}

// reserve has nobody else make, open or put away the copy of a volume until release.
func (m *Manager) reserve(ctx context.Context, name api.Name) (release func(), err error) {
	for {
		m.mu.Lock()
		busy := m.making[name]
		if busy == nil {
			done := make(chan struct{})
			m.making[name] = done
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.making, name)
				m.mu.Unlock()
				close(done)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// make makes a copy: of what the owner has given for it, or else of a's seed.
func (m *Manager) make(ctx context.Context, a Ask) (*copied, error) {
	m.mu.Lock()
	n := len(m.copies)
	m.mu.Unlock()
	if n >= api.MaxHeldVolumes {
		return nil, fmt.Errorf("%w: it has %d volumes already, the most there may be: clear some (realm volume ls)", ErrRefused, n)
	}
	realm := m.Realm()
	if realm == "" {
		return nil, fmt.Errorf("%w: it is of no realm", ErrRefused)
	}
	v := m.Decided(a.Volume)
	about := meta{Volume: a.Volume, Realm: realm, User: a.User, Epoch: v.Epoch(m.Self), Created: time.Now().UTC(), Limit: a.Limit}
	files := a.Seed
	if given := v.Begins(m.Self); given != nil {
		files, about.Established = given, true
	}
	if files != nil {
		about.Seed = files.SHA256
	}
	dir := filepath.Join(m.Dir, newPrefix+string(a.Volume))
	if err := m.fill(ctx, dir, about, files); err != nil {
		_ = os.RemoveAll(dir) // why it was not made says more; the next start tries again
		return nil, fmt.Errorf("make volume %s: %w", a.Volume, err)
	}
	c := &copied{meta: about, dir: filepath.Join(m.Dir, string(a.Volume))}
	if err := atomicfile.Rename(dir, c.dir); err != nil {
		return nil, fmt.Errorf("make volume %s: %w", a.Volume, err)
	}
	m.mu.Lock()
	m.copies[a.Volume] = c
	m.mu.Unlock()
	m.Changed()
	return c, nil
}

// fill makes the folder of a copy with what it begins with.
func (m *Manager) fill(ctx context.Context, dir string, about meta, files *api.BlobInfo) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, dataName), folderMode); err != nil {
		return err
	}
	if files != nil {
		root, err := os.OpenRoot(filepath.Join(dir, dataName))
		if err != nil {
			return err
		}
		err = m.Unpack(ctx, *files, root)
		if err = errors.Join(err, root.Close()); err != nil {
			return err
		}
	}
	return writeMeta(dir, about)
}

// enter counts a user of c more.
func (m *Manager) enter(c *copied, a Ask) (*Use, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.User != "" && c.User != a.User {
		return nil, fmt.Errorf("%w: volume %s is component %s's here: choose another volume, or give that one up (realm volume clear %s)", ErrRefused, a.Volume, c.User, a.Volume)
	}
	o := c.open
	if o == nil {
		root, err := os.OpenRoot(filepath.Join(c.dir, dataName))
		if err != nil {
			return nil, fmt.Errorf("open volume %s: %w", a.Volume, err)
		}
		quota, err := mount.NewQuota(root, a.Limit)
		if err != nil {
			_ = root.Close() // nothing was written
			return nil, fmt.Errorf("open volume %s: %w", a.Volume, err)
		}
		o = &open{root: root, quota: quota}
	}
	if c.User != a.User || c.Limit != a.Limit {
		c.User, c.Limit = a.User, a.Limit
		if err := c.save(); err != nil {
			m.Log.Warn("what is known of a volume is not written", "volume", string(a.Volume), telemetry.Error(err))
		}
	}
	o.quota.SetLimit(a.Limit)
	o.users++
	c.open = o
	u := &Use{m: m, name: a.Volume, c: c, o: o}
	u.end = sync.OnceFunc(u.leave)
	return u, nil
}

// Folder is the copy for guests to see. It stays the caller's to close.
func (u *Use) Folder(readOnly bool) (*mount.Folder, error) {
	root, err := u.o.root.OpenRoot(".")
	if err != nil {
		return nil, fmt.Errorf("open volume %s: %w", u.name, err)
	}
	f := mount.New(root, readOnly)
	f.Bound(u.o.quota)
	return f, nil
}

// Establish says that a program has come up with the copy: others are to know of it.
func (u *Use) Establish() {
	u.m.mu.Lock()
	known := u.c.Established
	u.c.Established = true
	var err error
	if !known {
		err = u.c.save()
	}
	u.m.mu.Unlock()
	if err != nil {
		u.m.Log.Warn("what is known of a volume is not written", "volume", string(u.name), telemetry.Error(err))
	}
	if !known {
		u.m.Changed()
	}
}

// Close gives the copy back. It may be called more than once.
func (u *Use) Close() { u.end() }

func (u *Use) leave() {
	u.m.mu.Lock()
	u.o.users--
	last := u.o.users == 0
	if last {
		_ = u.o.root.Close() // nothing was written through it
		u.c.open = nil
	}
	u.m.mu.Unlock()
	if last {
		u.m.Changed() // what was decided meanwhile can be done now
	}
}
