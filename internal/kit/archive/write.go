package archive

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Limits bound an archive.
type Limits struct {
	Bytes int64 // of all files, unpacked
	Files int   // and folders
}

// Source is a file or folder that goes into an archive.
type Source struct {
	Name string // with slashes, below the archive
	Exec bool   // somebody may execute it
	Dir  bool
	Size int64                         // of a file
	Open func() (io.ReadCloser, error) // of a file
}

// epoch is the date of all entries, the first that zip can say: 1980-01-01.
const epoch = 1<<5 | 1

// Check reports why no archive can be made of sources.
func Check(sources []Source, l Limits) error {
	if most := min(l.Files, MaxFiles); len(sources) > most {
		return fmt.Errorf("%d files and folders, at most %d", len(sources), most)
	}
	seen, sum := names{}, int64(0)
	for _, s := range sources {
		if err := CheckName(s.Name); err != nil {
			return err
		}
		if err := seen.add(s.Name, s.Dir); err != nil {
			return err
		}
		if sum += s.Size; s.Size < 0 || s.Size > l.Bytes || sum > l.Bytes {
			return fmt.Errorf("%s: all files together have more than %d bytes, the most that may be", s.Name, l.Bytes)
		}
	}
	return nil
}

// Write makes an archive of sources, in whatever order they come.
func Write(ctx context.Context, w io.Writer, sources []Source, l Limits) error {
	if err := Check(sources, l); err != nil {
		return err
	}
	sources = slices.Clone(sources)
	slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	out := zip.NewWriter(w)
	for _, s := range sources {
		if err := put(ctx, out, s); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return out.Close()
}

func put(ctx context.Context, out *zip.Writer, s Source) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h := &zip.FileHeader{Name: s.Name, Method: zip.Store}
	// The time is written by its two fields alone: Modified would add an extra field.
	h.ModifiedDate, h.ModifiedTime = epoch, 0 //nolint:staticcheck // see above
	switch {
	case s.Dir:
		h.Name += "/"
		h.SetMode(fs.ModeDir | 0o755)
		_, err := out.CreateHeader(h)
		return err
	case s.Exec:
		h.SetMode(0o755)
	default:
		h.SetMode(0o644)
	}
	to, err := out.CreateHeader(h)
	if err != nil {
		return err
	}
	from, err := s.Open()
	if err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(&reader{ctx, from}, s.Size+1))
	if err = errors.Join(err, from.Close()); err == nil && n != s.Size {
		err = errors.New("it changes while it is read")
	}
	return err
}

// reader ends with its context.
type reader struct {
	ctx context.Context //nolint:containedctx // it lives for one copy
	io.Reader
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// Tree makes an archive of what is below dir of root. Links, devices and names that mean
// something else elsewhere are refused.
func Tree(ctx context.Context, root *os.Root, dir string, w io.Writer, l Limits) error {
	sources, err := List(ctx, root, dir, l)
	if err != nil {
		return err
	}
	return Write(ctx, w, sources, l)
}

// List is what is below dir of root, as sources named from there. Folders are among them.
func List(ctx context.Context, root *os.Root, dir string, l Limits) (out []Source, err error) {
	err = fs.WalkDir(root.FS(), path.Clean(dir), func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case p == path.Clean(dir):
			return nil
		case len(out) >= l.Files:
			return fmt.Errorf("there are more than %d files and folders, the most that may be", l.Files)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s := Source{Name: below(dir, p), Dir: info.IsDir()}
		if !info.IsDir() {
			if !info.Mode().IsRegular() {
				return fmt.Errorf("%s: it is neither a file nor a folder (%s): take it out, or put a copy in its place", p, info.Mode().Type())
			}
			s.Size, s.Exec = info.Size(), info.Mode()&0o111 != 0
			s.Open = func() (io.ReadCloser, error) { return root.Open(p) }
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

// below is p as seen from dir.
func below(dir, p string) string {
	if dir = path.Clean(dir); dir == "." {
		return p
	}
	return p[len(dir)+1:]
}
