package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStorageGet(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "get SHA256",
		Short: "Write a blob into a file, from this node or from the mesh",
		Long: `Write a blob into a file, or to standard output. Where it is not on this node, or not
whole, it is fetched first, from all members that have it, or parts of it, at once. It
stays here until room is wanted.

Every byte is checked against the SHA-256. The file appears when it is whole, in the
place of the one that was there; a fetch that was cut short goes on where it was.`,
		Example: `  realm storage get 93a44bbb96c7 -o disk.img
  realm storage get sha256:93a44bbb96c7 -o /dev/shm/disk.img`,
		Args:              blobArgument,
		ValidArgsFunction: a.completeBlobs,
	}
	cmd.Flags().StringVarP(&out, "output", "o", stdio, "file to write; - is standard output")
	cmd.RunE = a.moving(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if out == stdio && a.json {
			return misused(cmd, errors.New("--json: standard output is for JSON then: name a file with -o FILE"))
		}
		if f, ok := a.out.(*os.File); ok && out == stdio && term.IsTerminal(int(f.Fd())) {
			return misused(cmd, errors.New("a blob may hold anything, and would go to your terminal: name a file with -o FILE, or pipe it on: realm storage get SHA256 | less"))
		}
		return a.onNode(ctx, func(n *node.Node) error {
			d, err := blob(ctx, n, args)
			if err != nil {
				return err
			}
			return a.get(ctx, n, d, out)
		})
	})
	return cmd
}

// getView is what realm storage get says in JSON.
type getView struct {
	api.BlobInfo
	File    string  `json:"file"`
	Fetched bool    `json:"fetched"` // from other members
	Seconds float64 `json:"seconds"`
}

// get brings a blob to the node, and from there into a file.
func (a *app) get(ctx context.Context, n *node.Node, d api.Digest, name string) error {
	begin := time.Now()
	v := getView{File: name}
	info, here, err := n.Here(ctx, d)
	if err == nil && !here {
		v.Fetched = true
		info, err = a.fetch(ctx, n, d)
	}
	if err != nil {
		return err
	}
	v.BlobInfo = info
	out, err := a.openOutput(name)
	if err != nil {
		return err
	}
	if err := a.copyOut(ctx, n, info, out.Writer); err != nil {
		return errors.Join(err, out.drop())
	}
	if err := out.keep(); err != nil {
		return err
	}
	v.Seconds = time.Since(begin).Seconds()
	if name == stdio {
		return nil
	}
	return a.print(v, func() {
		from := "from this node"
		if v.Fetched {
			from = "from the mesh"
		}
		fmt.Fprintf(a.out, "%s: %s, %s, in %.1f s\n", name, sizeText(v.Size), from, v.Seconds)
	})
}

// fetchEvery is how often casd is asked how far a fetch is.
const fetchEvery = 500 * time.Millisecond

// fetch has the node fetch a blob from other members, and shows how that goes on.
func (a *app) fetch(ctx context.Context, n *node.Node, d api.Digest) (api.BlobInfo, error) {
	shown := a.newProgress("fetching "+d.Short(), -1)
	defer shown.end()
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watchFetch(watching, n, d, shown)
	}()
	defer func() { stop(); <-watched }()
	b, err := n.Bring(ctx, d, 0)
	if done, total := shown.meter.read(); err != nil && ctx.Err() != nil && done > 0 {
		err = fmt.Errorf("%w. What has come stays, %s of it: the same command goes on from there", err, percentText(done, total))
	}
	return b, err
}

// watchFetch shows how far a fetch is until ctx ends.
func watchFetch(ctx context.Context, n *node.Node, d api.Digest, shown *progress) {
	tick := time.NewTicker(fetchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		all, err := n.Transfers(ctx)
		i := slices.IndexFunc(all, func(t api.Transfer) bool { return t.SHA256 == d })
		if err != nil || i < 0 {
			continue // it has just begun, or ended; and Bring tells what is wrong
		}
		shown.tell(sourcesText(all[i]))
		shown.set(all[i].Done, knownSize(all[i].Size))
	}
}

// knownSize is the size of a transfer, or -1 where nobody knows it yet.
func knownSize(size int64) int64 {
	if size == 0 {
		return -1
	}
	return size
}

// sourcesText says from how many members something comes, or what it waits for.
func sourcesText(t api.Transfer) string {
	active := 0
	for _, s := range t.Sources {
		if s.State == "active" {
			active++
		}
	}
	switch {
	case active > 0:
		return "from " + plural(active, "member")
	case t.Size > 0 && t.Done >= t.Size:
		return "checking all of it"
	}
	return "waiting for members that have it"
}

// idleTries is how often a read may break off without a byte between.
const idleTries = 3

// copyOut writes a blob that is on the node to out. Where casd goes away, or finds bytes
// that are damaged, sound ones are brought, and it goes on where it was.
func (a *app) copyOut(ctx context.Context, n *node.Node, b api.BlobInfo, out io.Writer) error {
	shown := a.newProgress("writing "+b.SHA256.Short(), b.Size)
	defer shown.end()
	done, err := direct(ctx, n, b, out, shown)
	if err != nil {
		return err
	}
	for tries := 0; done < b.Size; {
		got, failed := copyFrom(ctx, n, b, done, out, shown)
		if errors.As(failed, new(*writeError)) || ctx.Err() != nil {
			return failed
		}
		if done += got; failed == nil {
			continue
		}
		if tries++; got > 0 {
			tries = 0
		}
		if tries == idleTries {
			return failed
		}
		if _, err := n.Bring(ctx, b.SHA256, b.Size); err != nil {
			return fmt.Errorf("%s is damaged on this node, or casd broke off: %w; and sound bytes are not to be had: %w", b.SHA256.Short(), failed, err)
		}
	}
	return nil
}

// direct has casd write the blob into out by itself, as far as it can, and says how many
// bytes that were: none where out is no file. It leaves out standing behind them.
func direct(ctx context.Context, n *node.Node, b api.BlobInfo, out io.Writer, shown *progress) (done int64, err error) {
	file, ok := out.(*os.File)
	if !ok || b.Size == 0 {
		return 0, nil
	}
	at, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, nil //nolint:nilerr // a pipe stands nowhere
	}
	// What is wrong is found again, and mended or told, where the rest is copied.
	_ = n.Export(ctx, b.SHA256, file, at, func(count int64) {
		done = min(count, b.Size)
		shown.set(done, b.Size)
	})
	if done > 0 {
		_, err = file.Seek(at+done, io.SeekStart)
	}
	return done, wrapWrite(err)
}

// copyBuffer is how many bytes are read from casd at a time, at most: as many as a socket
// holds.
const copyBuffer = 256 << 10

// copyFrom writes a blob from an offset on, and says how many bytes that were.
func copyFrom(ctx context.Context, n *node.Node, b api.BlobInfo, from int64, out io.Writer, shown *progress) (int64, error) {
	in, err := n.Open(ctx, b.SHA256, from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	done, err := io.CopyBuffer(&writer{out, shown}, io.LimitReader(in, b.Size-from), make([]byte, copyBuffer))
	if err == nil && done < b.Size-from {
		err = io.ErrUnexpectedEOF
	}
	return done, err
}

// writeError says that it is the receiver who is in trouble.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// writer counts what it passes on, and marks errors of the receiver.
type writer struct {
	io.Writer
	progress *progress
}

func (w *writer) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.progress.add(int64(n))
	if err != nil {
		err = &writeError{fmt.Errorf("write blob: %w", err)}
	}
	return n, err
}
