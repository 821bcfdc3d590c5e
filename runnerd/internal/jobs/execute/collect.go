package execute

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
)

// collect brings the artifacts and the log into the store, or the record.
func (x *execution) collect(ctx context.Context, c *jobs.Change) {
	if c.State != api.ExecMoved && !c.Started.IsZero() {
		for _, a := range x.order.Body.Artifacts {
			c.Artifacts = append(c.Artifacts, x.artifact(ctx, a))
		}
	}
	size, err := x.log.size()
	switch {
	case err != nil || size == 0:
	case size <= api.MaxSaid:
		var b bytes.Buffer
		if x.log.copy(&b) == nil && b.Len() <= api.MaxSaid {
			c.Said = b.String()
			x.log.remove()
		}
	default:
		if b, err := x.keepLog(ctx); err == nil {
			c.Log = b
			x.log.remove()
		}
	}
}

// keepLog puts all of the log into the store.
func (x *execution) keepLog(ctx context.Context) (api.BlobInfo, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(x.log.copy(w)) }()
	defer r.Close()
	return x.of.cfg.Blobs.Put(ctx, r)
}

// errKind says that an artifact is no file or folder.
var errKind = errors.New("it is neither a file nor a folder")

// artifact puts one file, or a folder as an archive, into the store.
func (x *execution) artifact(ctx context.Context, a api.JobArtifact) api.JobOutput {
	out := api.JobOutput{Name: a.Name}
	b, err := x.store(ctx, filepath.FromSlash(a.Path))
	if err != nil {
		if out.Missing = err.Error(); errors.Is(err, fs.ErrNotExist) {
			out.Missing = "it was not made: there is no " + a.Path
		}
		out.Missing = out.Missing[:min(len(out.Missing), api.MaxReason)]
		return out
	}
	out.Blob = b
	return out
}

// store puts what is at name in the run's folder into the store. No link leads out of it.
func (x *execution) store(ctx context.Context, name string) (api.BlobInfo, error) {
	root, err := os.OpenRoot(x.workingDir())
	if err != nil {
		return api.BlobInfo{}, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return api.BlobInfo{}, err
	}
	switch {
	case info.IsDir():
		folder, err := root.OpenRoot(name)
		if err != nil {
			return api.BlobInfo{}, err
		}
		defer folder.Close()
		r, w := io.Pipe()
		go func() { w.CloseWithError(archive(w, folder)) }()
		defer r.Close()
		return x.of.cfg.Blobs.Put(ctx, r)
	case !info.Mode().IsRegular():
		return api.BlobInfo{}, errKind
	case info.Size() > api.MaxBlob:
		return api.BlobInfo{}, fmt.Errorf("it has %d bytes, more than the %d of a blob", info.Size(), int64(api.MaxBlob))
	}
	f, err := root.Open(name)
	if err != nil {
		return api.BlobInfo{}, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		return api.BlobInfo{}, errors.Join(err, errKind) // it was exchanged
	}
	return x.of.cfg.Blobs.Put(ctx, f)
}

// maxArchive is the most entries of an artifact that is a folder.
const maxArchive = 100_000

// archive writes a folder as a tar archive that is the same for the same files: in the
// order of names, without times and owners. What is no file or folder is left out.
func archive(to io.Writer, folder *os.Root) error {
	w := tar.NewWriter(to)
	n := 0
	err := fs.WalkDir(folder.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if n++; n > maxArchive {
			return fmt.Errorf("it has more than %d files", maxArchive)
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		return add(w, folder, name, d.IsDir())
	})
	return errors.Join(err, w.Close())
}

func add(w *tar.Writer, folder *os.Root, name string, dir bool) error {
	h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if dir {
		h.Name, h.Mode, h.Typeflag = path.Clean(name)+"/", 0o755, tar.TypeDir
		return w.WriteHeader(h)
	}
	f, err := folder.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if info.Mode()&0o111 != 0 {
		h.Mode = 0o755
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(w, f, h.Size)
	return err
}
