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
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// maxMissing caps what is said of all artifacts that are not there, in bytes: it goes into
// the record.
const maxMissing = 4 << 10

// collect brings the artifacts and the log into the store, or the record. A log that the
// store does not take stays here.
func (x *execution) collect(ctx context.Context, c *jobs.Change) {
	if c.State != api.ExecMoved && !c.Started.IsZero() {
		for _, a := range x.order.Body.Artifacts {
			c.Artifacts = append(c.Artifacts, x.artifact(ctx, a))
		}
	}
	if err := x.collectLog(ctx, c); err != nil {
		x.of.cfg.Log.Warn("a log of a job stays where it is", telemetry.KeyWorkload, string(x.order.Job), telemetry.Error(err))
		if err := x.log.move(filepath.Join(x.dir, logFile)); err != nil {
			x.of.cfg.Log.Warn("keep a log of a job", telemetry.KeyWorkload, string(x.order.Job), telemetry.Error(err))
		}
	}
}

// collectLog brings the log to where all find it. It is removed here once nobody reads it.
func (x *execution) collectLog(ctx context.Context, c *jobs.Change) error {
	size, err := x.log.size()
	if err != nil || size == 0 {
		return err
	}
	if size <= api.MaxSaid {
		var b bytes.Buffer
		if err := x.log.copy(&b); err != nil {
			return err
		}
		c.Said = b.String()
	} else if c.Log, err = x.put(ctx, func(w io.Writer) error { return x.log.copy(w) }); err != nil {
		return fmt.Errorf("store it: %w", err)
	}
	x.log.settle(settleTime)
	x.log.remove()
	return nil
}

// put brings what write writes into the store. A store that is away is tried again.
func (x *execution) put(ctx context.Context, write func(io.Writer) error) (api.BlobInfo, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = putPause, maxPutPause
	return backoff.Retry(ctx, func() (api.BlobInfo, error) {
		r, w := io.Pipe()
		written := make(chan error, 1)
		go func() {
			err := task.Guard(ctx, func(context.Context) error { return write(w) })
			written <- err
			w.CloseWithError(err)
		}()
		b, err := x.of.cfg.Blobs.Put(ctx, r)
		r.CloseWithError(errStore)
		if ours := <-written; ours != nil && !errors.Is(ours, errStore) {
			return b, backoff.Permanent(ours)
		}
		if program.NoRoom(err) {
			return b, backoff.Permanent(err)
		}
		return b, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0))
}

// errStore ends the writing of what the store does not take to its end.
var errStore = errors.New("the store has stopped reading")

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
		most := min(api.MaxReason, maxMissing/len(x.order.Body.Artifacts))
		out.Missing = strings.ToValidUTF8(out.Missing[:min(len(out.Missing), most)], "")
		return out
	}
	out.Blob = b
	return out
}

// store puts what is at name in the run's folder into the store. No link leads out of it.
func (x *execution) store(ctx context.Context, name string) (api.BlobInfo, error) {
	root, err := os.OpenRoot(x.work)
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
		return x.put(ctx, func(w io.Writer) error {
			folder, err := root.OpenRoot(name)
			if err != nil {
				return err
			}
			defer folder.Close()
			return archive(w, folder)
		})
	case !info.Mode().IsRegular():
		return api.BlobInfo{}, errKind
	case info.Size() > api.MaxBlob:
		return api.BlobInfo{}, fmt.Errorf("it has %d bytes, more than the %d of a blob", info.Size(), int64(api.MaxBlob))
	}
	return x.put(ctx, func(w io.Writer) error { return copyFile(w, root, name) })
}

func copyFile(to io.Writer, root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, errKind) // it was exchanged
	}
	_, err = io.Copy(to, f)
	return err
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
