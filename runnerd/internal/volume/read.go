package volume

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
)

// block is what the smallest thing in a volume counts as; sizes are rounded up to it, as
// those of its quota are.
const block = 4096

// usage is how much is in a folder, and of how many files and folders. Of what cannot be
// read, or changes meanwhile, it tells what it can.
func usage(ctx context.Context, dir string) (bytes int64, n int) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return ctx.Err() // what cannot be read counts nothing
		}
		if path == dir {
			return nil
		}
		n++
		size := int64(0)
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		bytes += max(block, (size+block-1)/block*block)
		return nil
	})
	return bytes, n
}

// Data opens the files of a copy that counts, to be read.
func (m *Manager) Data(name api.Name) (*os.Root, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.copies[name]
	if c == nil {
		return nil, fmt.Errorf("volume %s: %w", name, ErrUnknown)
	}
	root, err := os.OpenRoot(filepath.Join(c.dir, dataName))
	if err != nil {
		return nil, fmt.Errorf("read volume %s: %w", name, err)
	}
	return root, nil
}

// Files lists what is in a copy, by path.
func (m *Manager) Files(ctx context.Context, name api.Name) (out api.VolumeFiles, err error) {
	root, err := m.Data(name)
	if err != nil {
		return out, err
	}
	defer root.Close()
	out.Files = []api.VolumeFile{}
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil || path == ".":
			return nil //nolint:nilerr // it has just gone, or cannot be read
		case len(out.Files) == api.MaxVolumeFiles:
			out.More = true
			return fs.SkipAll
		}
		info, err := e.Info()
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		f := api.VolumeFile{Path: path, Kind: "file", Size: info.Size(), Time: info.ModTime().UTC()}
		switch {
		case info.IsDir():
			f.Kind, f.Size = "dir", 0
		case info.Mode()&fs.ModeSymlink != 0:
			f.Kind, f.Size = "link", 0
		}
		out.Files = append(out.Files, f)
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("list volume %s: %w", name, err)
	}
	return out, nil
}
