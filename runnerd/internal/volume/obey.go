package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Obey does what the owner has decided of the copies here, and makes those that they want
// here, of the volumes named and of all that are here. What could not be done is to be tried again: an error
// says why.
func (m *Manager) Obey(ctx context.Context, decided []api.Name) error {
	var errs []error
	for _, name := range m.names() {
		errs = append(errs, m.obeyOne(ctx, name))
	}
	for _, name := range decided {
		errs = append(errs, m.wanted(ctx, name))
	}
	return errors.Join(append(errs, m.clear())...)
}

func (m *Manager) obeyOne(ctx context.Context, name api.Name) error {
	release, err := m.reserve(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if err := m.obey(name); err != nil && !errors.Is(err, errInUse) {
		return err
	}
	return nil
}

// errInUse says that a copy which does not count is still open.
var errInUse = fmt.Errorf("%w: the owner has given up this copy while a program has it open: realm restart the component", ErrRefused)

// obey puts away the copy of a volume if it does not count any more; nobody else looks at it.
func (m *Manager) obey(name api.Name) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.copies[name]
	switch {
	case c == nil || m.counts(&c.meta):
		return nil
	case c.open != nil:
		return fmt.Errorf("volume %s: %w", name, errInUse)
	}
	folder := string(name) + "." + strconv.FormatUint(c.Epoch, 10)
	if c.Realm != m.Realm() {
		folder += "." + string(c.Realm)
	}
	aside := filepath.Join(m.Dir, voidName, folder)
	err := os.MkdirAll(filepath.Dir(aside), folderMode)
	if err == nil {
		err = os.RemoveAll(aside) // never: of one epoch there is one copy
	}
	if err == nil {
		err = atomicfile.Rename(c.dir, aside)
	}
	if err != nil {
		return fmt.Errorf("set volume %s aside: %w", name, err)
	}
	delete(m.copies, name)
	m.void[folder] = c.meta
	m.Log.Info("a copy of a volume does not count any more and is set aside", "volume", string(name), "epoch", c.Epoch)
	m.Changed()
	return nil
}

// clear removes what is set aside and was cleared.
func (m *Manager) clear() error {
	m.mu.Lock()
	var gone []string
	for folder, about := range m.void {
		if v := m.Decided(about.Volume); about.Realm == m.Realm() && v.IsCleared(m.Self, about.Epoch) {
			gone = append(gone, folder)
		}
	}
	m.mu.Unlock()
	var errs []error
	for _, folder := range gone {
		if err := os.RemoveAll(filepath.Join(m.Dir, voidName, folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("clear volume: %w", err))
			continue
		}
		m.mu.Lock()
		delete(m.void, folder)
		m.mu.Unlock()
		m.Log.Info("a copy of a volume was cleared", "folder", folder)
	}
	return errors.Join(errs...)
}

// wanted makes a copy that the owner wants here.
func (m *Manager) wanted(ctx context.Context, name api.Name) error {
	v := m.Decided(name)
	if v.Begins(m.Self) == nil {
		return nil
	}
	release, err := m.reserve(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	m.mu.Lock()
	c := m.copies[name]
	m.mu.Unlock()
	if c != nil {
		return nil // it counts, or is open
	}
	if _, err := m.make(ctx, Ask{Volume: name}); err != nil {
		m.Log.Warn("a volume cannot be restored yet", "volume", string(name), telemetry.Error(err))
		return err
	}
	return nil
}
