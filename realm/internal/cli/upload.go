package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// upload stores the program on the node, with a bar where somebody can watch it.
func (a *app) upload(ctx context.Context, n *node.Node, p program) error {
	blob := api.BlobInfo{SHA256: p.module.Digest, Size: p.module.Size()}
	name := filepath.Base(p.file)
	bar := a.newBar(name, blob.Size)
	err := n.Upload(ctx, blob, func() io.Reader { return bar.reader(bytes.NewReader(p.module.Bytes)) })
	bar.end(err == nil)
	if err != nil {
		return err
	}
	a.say("%s: %s, sha256 %s, is stored on this node", name, bytesText(blob.Size), blob.SHA256.Short())
	return nil
}

// bar shows how much of an upload is done. The zero bar shows nothing.
type bar struct {
	progress *mpb.Progress
	bar      *mpb.Bar
}

// newBar begins a bar on standard error if that is a terminal.
func (a *app) newBar(name string, size int64) bar {
	f, ok := a.err.(*os.File)
	if !ok || a.json || !term.IsTerminal(int(f.Fd())) {
		return bar{}
	}
	p := mpb.New(mpb.WithOutput(f), mpb.WithWidth(64))
	return bar{p, p.AddBar(size,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(printable(name)+" ")),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f")))}
}

// reader counts what is read from r, from the beginning.
func (b bar) reader(r io.Reader) io.Reader {
	if b.bar == nil {
		return r
	}
	b.bar.SetCurrent(0)
	return b.bar.ProxyReader(r)
}

func (b bar) end(complete bool) {
	if b.bar == nil {
		return
	}
	if complete {
		b.bar.SetTotal(-1, true)
	} else {
		b.bar.Abort(true)
	}
	b.progress.Wait()
}
