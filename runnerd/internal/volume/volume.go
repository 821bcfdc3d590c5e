package volume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// ErrRefused says that this node cannot give a volume, and why; others may.
var ErrRefused = errors.New("this node does not give it")

// ErrUnknown says that there is no such copy on this node.
var ErrUnknown = errors.New("no copy of it is on this node")

// Config says what a Manager works with.
type Config struct {
	Dir  string
	Self api.PeerID
	// Realm is the one that the node is of; empty: none yet.
	Realm func() api.RealmID
	// Decided is what the owner has decided of a volume; the zero value: nothing.
	Decided func(api.Name) api.Volume
	// Unpack unpacks an archive of the store into an empty folder, for programs to write to.
	Unpack func(ctx context.Context, archive api.BlobInfo, into *os.Root) error
	// Changed is told whenever [Manager.Held] may be otherwise. It must not block, nor call
	// the Manager.
	Changed func()
	Log     *slog.Logger
}

const (
	metaName   = "volume.json"
	dataName   = "data"
	voidName   = ".void"
	newPrefix  = ".new-"
	maxMeta    = 4 << 10
	folderMode = 0o700
)

// meta is what volume.json holds.
type meta struct {
	Volume  api.Name    `json:"volume"`
	Realm   api.RealmID `json:"realm"`
	User    api.Name    `json:"user,omitempty"`
	Epoch   uint64      `json:"epoch,omitempty"`
	Created time.Time   `json:"created"`
	Limit   int64       `json:"limit,omitempty"`
	Seed    api.Digest  `json:"seed,omitzero"`
	// Established: see the package.
	Established bool `json:"established,omitempty"`
}

// copied is one copy of a volume.
type copied struct {
	meta
	dir  string
	open *open // nil: no program has it
}

// Manager keeps the volumes of this node.
type Manager struct {
	Config

	mu     sync.Mutex
	copies map[api.Name]*copied
	void   map[string]meta // by the name of its folder
	making map[api.Name]chan struct{}
}

// Open reads what is on disk. What cannot be read is left where it is, and told.
func Open(cfg Config) (*Manager, error) {
	m := &Manager{Config: cfg, copies: map[api.Name]*copied{}, void: map[string]meta{}, making: map[api.Name]chan struct{}{}}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open volumes: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(cfg.Dir, e.Name())
		switch name, err := api.ParseName(e.Name()); {
		case strings.HasPrefix(e.Name(), newPrefix):
			if err := os.RemoveAll(dir); err != nil {
				return nil, fmt.Errorf("remove what is left of a volume: %w", err)
			}
		case e.Name() == voidName:
		case err != nil:
			cfg.Log.Warn("what is no volume is left where it is", "path", dir)
		default:
			m.found(name, dir)
		}
	}
	voids, err := os.ReadDir(filepath.Join(cfg.Dir, voidName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open volumes: %w", err)
	}
	for _, e := range voids {
		if about, err := readMeta(filepath.Join(cfg.Dir, voidName, e.Name())); err == nil {
			m.void[e.Name()] = about
		}
	}
	return m, nil
}

// found takes in a copy that was there at the start.
func (m *Manager) found(name api.Name, dir string) {
	about, err := readMeta(dir)
	if err == nil && about.Volume != name {
		err = fmt.Errorf("it is of %s", about.Volume)
	}
	if err != nil {
		m.Log.Error("a volume cannot be read, and is left where it is", "path", dir, telemetry.Error(err))
		return
	}
	m.copies[name] = &copied{meta: about, dir: dir}
}

func readMeta(dir string) (about meta, err error) {
	f, err := os.Open(filepath.Join(dir, metaName))
	if err != nil {
		return about, err
	}
	defer f.Close()
	raw, err := api.ReadAll(f, maxMeta)
	if err != nil {
		return about, err
	}
	if err := json.Unmarshal(raw, &about); err != nil {
		return about, fmt.Errorf("%s: %w", metaName, err)
	}
	_, err = api.ParseName(string(about.Volume))
	return about, err
}

// save writes what is known of c; m.mu is held.
func (c *copied) save() error { return writeMeta(c.dir, c.meta) }

func writeMeta(dir string, about meta) error {
	raw, err := json.Marshal(about)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, metaName), raw, 0o600)
}

// Held are the copies that are here and that others are to know of, by name: those that
// count, and are established.
func (m *Manager) Held() (out []api.HeldVolume) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, c := range m.copies {
		if c.Established && m.counts(&c.meta) {
			out = append(out, api.HeldVolume{Volume: name, User: c.User, Epoch: c.Epoch})
		}
	}
	slices.SortFunc(out, func(a, b api.HeldVolume) int { return strings.Compare(string(a.Volume), string(b.Volume)) })
	return out
}

// List is what is here of volumes, set aside or not, by name. It walks through all of them.
func (m *Manager) List(ctx context.Context) []api.VolumeInfo {
	m.mu.Lock()
	type about struct {
		meta
		dir       string
		void, use bool
	}
	var all []about
	for _, c := range m.copies {
		if c.Realm == m.Realm() {
			all = append(all, about{c.meta, c.dir, !m.counts(&c.meta), c.open != nil})
		}
	}
	for folder, v := range m.void {
		if v.Realm == m.Realm() {
			all = append(all, about{v, filepath.Join(m.Dir, voidName, folder), true, false})
		}
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b about) int { return strings.Compare(string(a.Volume), string(b.Volume)) })
	out := make([]api.VolumeInfo, 0, len(all))
	for _, a := range all[:min(len(all), api.MaxHeldVolumes)] {
		info := api.VolumeInfo{HeldVolume: api.HeldVolume{Volume: a.Volume, User: a.User, Epoch: a.Epoch}, Limit: a.Limit,
			Created: a.Created, Seed: a.Seed, InUse: a.use, Void: a.void}
		info.Used, info.Files = usage(ctx, filepath.Join(a.dir, dataName))
		out = append(out, info)
	}
	return out
}

// counts reports whether a copy does: it is of the realm of this node, and the owner has not
// given it up.
func (m *Manager) counts(c *meta) bool {
	v := m.Decided(c.Volume)
	return c.Realm == m.Realm() && v.Counts(m.Self, c.Epoch)
}

// names are those of all copies, in order.
func (m *Manager) names() []api.Name {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.copies))
}
