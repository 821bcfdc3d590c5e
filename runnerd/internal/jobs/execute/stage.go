package execute

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// stagedAtOnce is how many blobs of an execution are on the way at a time.
const stagedAtOnce = 4

// stage brings the program and its files into the folder.
func (x *execution) stage() error {
	body := x.order.Body
	if err := disk.Room(x.dir, x.need(), disk.ReserveBulk); err != nil {
		return elsewhere(fmt.Errorf("make room for its files: %w", err))
	}
	for _, dir := range []string{filepath.Join(x.dir, programDir), filepath.Join(x.dir, assetsDir), x.workingDir()} {
		if err := os.MkdirAll(dir, foldersMode); err != nil {
			return elsewhere(fmt.Errorf("make a folder: %w", err))
		}
	}
	for _, a := range x.order.Assets {
		if a.Blob.SHA256.IsZero() {
			return fmt.Errorf("asset %s: %s has left no artifact %s", a.Name, a.Job, a.From)
		}
	}
	g, ctx := errgroup.WithContext(x.ctx)
	g.SetLimit(stagedAtOnce)
	put := func(what string, b api.BlobInfo, folder, name string, mode os.FileMode) {
		g.Go(func() error {
			if err := x.unpack(ctx, b, folder, name, mode); err != nil {
				return fmt.Errorf("bring %s: %w", what, err)
			}
			return nil
		})
	}
	if body.Runtime.Type != api.RuntimeWasm { // modules are loaded from the store
		put("the program", body.Runtime.Program, filepath.Join(x.dir, programDir), x.file(), 0o755)
	}
	for _, a := range x.order.Assets {
		put("asset "+a.Name, a.Blob, filepath.Join(x.dir, assetsDir), a.Name, 0o444)
	}
	for _, s := range body.PreStage {
		put(s.Dest, s.Blob, x.work, s.Dest, 0o644)
	}
	return g.Wait()
}

// need is how many bytes the files take.
func (x *execution) need() (sum int64) {
	sum = x.order.Body.Runtime.Program.Size
	for _, a := range x.order.Assets {
		sum += a.Blob.Size
	}
	for _, s := range x.order.Body.PreStage {
		sum += s.Blob.Size
	}
	return sum
}

// file is what the program is called.
func (x *execution) file() string {
	if f := x.order.Body.Runtime.File; f != "" {
		return f
	}
	return "program"
}

// unpack writes a blob to a file below folder; name has slashes. A name that does not fit
// beside the others is the job's own fault, wherever it is executed.
func (x *execution) unpack(ctx context.Context, b api.BlobInfo, folder, name string, mode os.FileMode) error {
	if err := x.of.cfg.Blobs.Bring(ctx, b); err != nil {
		return here(err)
	}
	from, err := x.of.cfg.Blobs.Open(ctx, b)
	if err != nil {
		return here(err)
	}
	defer from.Close()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return elsewhere(err)
	}
	defer root.Close()
	name = filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.Dir(name), foldersMode); err != nil {
		return here(err)
	}
	to, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return here(err)
	}
	n, err := io.Copy(to, from)
	if closing := to.Close(); err == nil {
		err = closing
	}
	if err = here(err); err == nil && n != b.Size {
		err = fmt.Errorf("%d bytes came, it has %d", n, b.Size)
	}
	return err
}

// environment is what every program finds, beside what its job gives it.
func (x *execution) environment() map[string]string {
	e := x.order.Exec
	env := maps.Clone(x.order.Body.Runtime.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, map[string]string{
		"REALM_JOB": string(x.order.Job), "REALM_RUN": string(e.Run),
		"REALM_INDEX": fmt.Sprint(e.Run.Index()), "REALM_EPOCH": fmt.Sprint(e.Epoch),
	})
	if at := e.Run.Instant(); !at.IsZero() {
		env["REALM_INSTANT"] = at.Format("2006-01-02T15:04:05Z07:00")
	}
	x.portsInEnv(env)
	return env
}
