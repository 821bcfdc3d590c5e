package api

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// MountKind says where what a program sees in a mount comes from, and what becomes of it.
type MountKind string

// The kinds.
const (
	// MountHost is a folder of the member. A node gives only what its own settings allow.
	MountHost MountKind = ""
	// MountStatic and MountConfig are files that come with the program, read-only. The
	// digest of the files is part of the version: another one is another version, which
	// shows its own files from its first moment on.
	MountStatic MountKind = "static"
	MountConfig MountKind = "config"
	// MountWork is an empty folder of one replica, gone when the replica ends.
	MountWork MountKind = "work"
	// MountState is a volume: it stays on its member whatever becomes of the program.
	MountState MountKind = "state"
)

// Mount shows a folder to a program.
type Mount struct {
	Kind  MountKind `json:"kind,omitempty"`
	Host  string    `json:"host,omitempty"` // absolute path on the member, of [MountHost] alone
	Guest string    `json:"guest"`          // absolute path as the program sees it, with slashes
	RO    bool      `json:"ro,omitempty"`   // of [MountHost] and [MountState]
	// Files is a blob, a zip archive: what [MountStatic] and [MountConfig] show, and what a
	// new volume begins with.
	Files *BlobInfo `json:"files,omitempty"`
	// SizeMB is how much [MountWork] and [MountState] hold at most, MiB; 0: the default.
	SizeMB int64 `json:"size_mb,omitempty"`
	Volume Name  `json:"volume,omitempty"` // of [MountState]
}

// Bounds of mounts.
const (
	DefaultWorkMB  = 64
	DefaultStateMB = 256
	MaxMountMB     = 1 << 20   // of one work folder or volume: 1 TiB
	MaxMountFiles  = 512 << 20 // bytes of the archive of one mount
	maxMounts      = 16
)

// Limit is how many bytes m holds at most; 0: it is not bounded by itself.
func (m *Mount) Limit() int64 {
	mb := m.SizeMB
	switch {
	case m.Kind != MountWork && m.Kind != MountState:
		return 0
	case mb == 0 && m.Kind == MountWork:
		mb = DefaultWorkMB
	case mb == 0:
		mb = DefaultStateMB
	}
	return mb << 20
}

// Volumes are the names of the volumes that c keeps its state in, in order.
func (c *Component) Volumes() []Name {
	var out []Name
	for _, m := range c.Mounts {
		if m.Kind == MountState {
			out = append(out, m.Volume)
		}
	}
	slices.Sort(out)
	return out
}

// Blobs are all that a member needs to run c: its program, then the files of its mounts.
func (c *Component) Blobs() []BlobInfo {
	out := []BlobInfo{{SHA256: c.Module.Blob, Size: c.Module.Size}}
	for _, m := range c.Mounts {
		if m.Files != nil {
			out = append(out, *m.Files)
		}
	}
	return out
}

func (c *Component) validateMounts() error {
	if len(c.Mounts) > maxMounts {
		return fmt.Errorf("%d mounts: at most %d", len(c.Mounts), maxMounts)
	}
	guests, volumes := map[string]bool{}, map[Name]bool{}
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if err := m.Validate(); err != nil {
			return err
		}
		if guests[m.Guest] {
			return fmt.Errorf("mount %.80q: there are two of them", m.Guest)
		}
		if m.Kind == MountState && volumes[m.Volume] {
			return fmt.Errorf("mount %.80q: volume %s is mounted elsewhere, too", m.Guest, m.Volume)
		}
		guests[m.Guest], volumes[m.Volume] = true, true
	}
	return nil
}

// Validate implements [Validator].
func (m *Mount) Validate() error {
	switch {
	case len(m.Host) > maxPath || len(m.Guest) > maxPath || strings.ContainsRune(m.Host+m.Guest, 0):
		return fmt.Errorf("mount: paths have at most %d bytes, and no NULs", maxPath)
	case !utf8.ValidString(m.Host + m.Guest):
		return fmt.Errorf("mount: host %.80q, guest %.80q: want paths in UTF-8", m.Host, m.Guest)
	case !path.IsAbs(m.Guest) || path.Clean(m.Guest) != m.Guest:
		return fmt.Errorf("mount: guest %.80q: want an absolute path with slashes, and no . or .. in it", m.Guest)
	}
	if err := m.validateKind(); err != nil {
		return fmt.Errorf("mount %.80q: %w", m.Guest, err)
	}
	if err := validateFiles(m.Files); err != nil {
		return fmt.Errorf("mount %.80q: %w", m.Guest, err)
	}
	return nil
}

// validateKind checks what only some kinds have.
func (m *Mount) validateKind() error {
	bounded := m.Kind == MountWork || m.Kind == MountState
	switch m.Kind {
	case MountHost:
		if !absolute(m.Host) {
			return fmt.Errorf("host %.80q: want an absolute path", m.Host)
		}
	case MountStatic, MountConfig:
		if m.Files == nil {
			return fmt.Errorf("a %s mount has files, and there are none", m.Kind)
		}
	case MountWork:
	case MountState:
		if _, err := ParseName(string(m.Volume)); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
	default:
		return fmt.Errorf("kind %.40q: want static, config, work or state", string(m.Kind))
	}
	switch {
	case m.Kind != MountHost && m.Host != "":
		return fmt.Errorf("a %s mount has no host", m.Kind)
	case m.Kind != MountState && m.Volume != "":
		return errors.New("only a state mount has a volume")
	case m.RO && m.Kind != MountHost && m.Kind != MountState:
		return errors.New("only host and state mounts have ro")
	case (m.Kind == MountHost || m.Kind == MountWork) && m.Files != nil:
		return errors.New("only static, config and state mounts have files")
	case m.SizeMB < 0 || m.SizeMB > MaxMountMB || m.SizeMB > 0 && !bounded:
		return fmt.Errorf("size_mb %d: want 1 to %d, of a work or state mount", m.SizeMB, MaxMountMB)
	}
	return nil
}

// absolute reports whether p is an absolute path on some system: what runs a
// program need not be what has signed it.
func absolute(p string) bool {
	return strings.HasPrefix(p, "/") || len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
}
