package engine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"
)

// Cache is the folder of compiled modules: ENGINE/DIGEST/, where ENGINE names the
// version of the compiler, so that a new one does not read the old one's code. The digest
// is that of what was compiled, a module with its meters: other meters, and other limits
// that are in its code, make another. What an instance is limited to otherwise changes no
// code.
// Whoever can write there decides what runs: it must be this user's alone.
type Cache struct {
	root string // of all engines
	dir  string // of this one
}

const wazeroPath = "github.com/tetratelabs/wazero"

// NewCache returns the cache in the folder root, which is made when needed.
func NewCache(root string) Cache {
	version := "dev"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == wazeroPath {
				version = d.Version
			}
		}
	}
	return Cache{root, filepath.Join(root, "wazero-"+version)}
}

// Dir is the folder of the current compiler.
func (c Cache) Dir() string { return c.dir }

func (c Cache) folder(d Digest) string { return filepath.Join(c.dir, d.String()) }

// sealName is the file that ends a compilation: the digest of the code beside it.
const sealName = "sum"

// Has reports whether a module was compiled to the end.
func (c Cache) Has(d Digest) bool {
	_, err := os.Stat(filepath.Join(c.folder(d), sealName))
	return err == nil
}

// seal notes what the code of a module is, once it is all there.
func (c Cache) seal(d Digest) error {
	sum, err := c.sum(d)
	if err != nil {
		return fmt.Errorf("seal compiled module: %w", err)
	}
	// Half of it, after a power cut, is no seal: see check.
	if err := os.WriteFile(filepath.Join(c.folder(d), sealName), []byte(sum.String()), 0o600); err != nil {
		return fmt.Errorf("seal compiled module: %w", err)
	}
	return nil
}

// check returns [ErrNotCompiled] unless the code of a module is what was sealed. It
// is machine code, and the file may be damaged: nothing reads it before.
func (c Cache) check(d Digest) error {
	want, err := os.ReadFile(filepath.Join(c.folder(d), sealName))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotCompiled
	}
	if err != nil {
		return fmt.Errorf("check compiled module: %w", err)
	}
	got, err := c.sum(d)
	if err != nil {
		return fmt.Errorf("check compiled module: %w", err)
	}
	if got.String() != string(want) {
		return errors.Join(fmt.Errorf("%w: its code on the disk is damaged, and removed", ErrNotCompiled), c.Remove(d))
	}
	return nil
}

// sum is the digest of all code of a module, in the order of the files' names.
func (c Cache) sum(d Digest) (Digest, error) {
	h := sha256.New()
	err := filepath.WalkDir(c.folder(d), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || e.Name() == sealName {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(h, f)
		return err
	})
	return Digest(h.Sum(nil)), err
}

// Remove removes the code of a module.
func (c Cache) Remove(d Digest) error {
	if err := os.RemoveAll(c.folder(d)); err != nil {
		return fmt.Errorf("remove compiled module: %w", err)
	}
	return nil
}

// touch marks the code of a module as used now; [Cache.prune] sees an old mark if it fails.
func (c Cache) touch(d Digest) {
	now := time.Now()
	_ = os.Chtimes(c.folder(d), now, now)
}

// prune removes what older compilers left, and, if the cache holds more than limit bytes, the
// modules that have not been loaded for longest, until it holds target. It returns what the
// cache holds then.
func (c Cache) prune(limit, target int64) (total int64, err error) {
	entries, err := os.ReadDir(c.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("prune compile cache: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if path := filepath.Join(c.root, e.Name()); path != c.dir {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	folders, total := c.measure()
	if total <= limit {
		target = total
	}
	slices.SortFunc(folders, func(a, b cached) int { return a.used.Compare(b.used) })
	for _, f := range folders {
		if total <= target {
			break
		}
		errs = append(errs, os.RemoveAll(f.path))
		total -= f.size
	}
	if err := errors.Join(errs...); err != nil {
		return total, fmt.Errorf("prune compile cache: %w", err)
	}
	return total, nil
}

type cached struct {
	path string
	used time.Time
	size int64
}

func sizeOf(e fs.DirEntry) int64 {
	info, err := e.Info()
	if err != nil {
		return 0
	}
	return info.Size()
}

// measure lists the modules of the current compiler.
func (c Cache) measure() (folders []cached, total int64) {
	entries, _ := os.ReadDir(c.dir)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		f := cached{path: filepath.Join(c.dir, e.Name()), used: info.ModTime()}
		f.size = sizeBelow(f.path)
		folders, total = append(folders, f), total+f.size
	}
	return folders, total
}

// sizeBelow is how many bytes the files in a folder have.
func sizeBelow(path string) (sum int64) {
	_ = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			sum += sizeOf(e)
		}
		return nil // what has vanished meanwhile counts nothing
	})
	return sum
}
