package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
)

// Blob is bytes for the store that are made anew each time they are read.
type Blob struct {
	api.BlobInfo
	Name string // for people

	write func(ctx context.Context, w io.Writer) error
}

// Open reads the bytes. The caller closes it, also before its end. That they cannot be read,
// or are others by now, is told to failed, too: who is sent them need not hear of it.
func (b Blob) Open(ctx context.Context, failed func(error)) io.ReadCloser {
	r, w := io.Pipe()
	out := &reading{r, make(chan struct{})}
	go func() {
		defer close(out.ended)
		err := b.check(ctx, w)
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			failed(err)
		}
		w.CloseWithError(err)
	}()
	return out
}

// reading is a blob that is read.
type reading struct {
	*io.PipeReader
	ended chan struct{}
}

// Close returns when nothing of the blob is read any more.
func (r *reading) Close() error {
	err := r.PipeReader.Close()
	<-r.ended
	return err
}

// check writes the bytes to w, and makes sure that they are those of the digest.
func (b Blob) check(ctx context.Context, w io.Writer) error {
	sum := &counter{sum: sha256.New(), left: b.Size}
	err := b.write(ctx, io.MultiWriter(sum, w))
	if err == nil && !bytes.Equal(sum.sum.Sum(nil), b.SHA256[:]) || sum.left < 0 {
		err = fmt.Errorf("%s has changed since this command began: repeat the command", b.Name)
	}
	return err
}

// newBlob finds out which bytes write makes.
func newBlob(ctx context.Context, name string, most int64, write func(context.Context, io.Writer) error) (Blob, error) {
	b := Blob{Name: name, write: write}
	sum := &counter{sum: sha256.New(), left: most}
	if err := write(ctx, sum); err != nil {
		if sum.left < 0 {
			err = fmt.Errorf("it has more than %d MiB, the most that may be", most>>20)
		}
		return b, err
	}
	b.Size = most - sum.left
	sum.sum.Sum(b.SHA256[:0])
	return b, nil
}

// counter hashes, and ends after so many bytes.
type counter struct {
	sum  hash.Hash
	left int64
}

// Write implements [io.Writer].
func (c *counter) Write(p []byte) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		return 0, errors.New("it is too large")
	}
	return c.sum.Write(p)
}

// mountLimits are those of the files of one mount.
var mountLimits = archive.Limits{Bytes: api.MaxMountFiles, Files: archive.MaxFiles}

// Files is the archive of a mount, and what is in it.
type Files struct {
	Blob
	Count int   // of files, folders apart
	Bytes int64 // of all of them
}

// Folder has the files of a folder of this machine for a mount.
func Folder(ctx context.Context, dir string) (Files, error) {
	f, err := folder(ctx, dir)
	if err != nil {
		return f, fmt.Errorf("read folder %s: %w", dir, err)
	}
	return f, nil
}

func folder(ctx context.Context, dir string) (Files, error) {
	list := func(ctx context.Context, use func([]archive.Source) error) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		all, err := archive.List(ctx, root, ".", mountLimits)
		if err != nil {
			return err
		}
		return use(all)
	}
	return newFiles(ctx, dir, list)
}

// newFiles makes the archive of what list gives.
func newFiles(ctx context.Context, name string, list func(context.Context, func([]archive.Source) error) error) (f Files, err error) {
	err = list(ctx, func(all []archive.Source) error {
		for _, s := range all {
			if !s.Dir {
				f.Count++
				f.Bytes += s.Size
			}
		}
		return nil
	})
	if err != nil {
		return f, err
	}
	f.Blob, err = newBlob(ctx, name, api.MaxMountFiles, func(ctx context.Context, w io.Writer) error {
		return list(ctx, func(all []archive.Source) error { return archive.Write(ctx, w, all, mountLimits) })
	})
	return f, err
}
