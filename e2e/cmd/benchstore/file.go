package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Aims: the speed of the store as a part of that of the tool beside it.
const (
	putAim = 0.40 // of openssl dgst -sha256
	getAim = 0.30 // of cat
)

// file puts files into the store of one node and gets them back, beside what only
// hashes them and what only copies them.
func (b *bench) file(ctx context.Context) (err error) {
	m, err := b.newMesh(ctx, 1)
	defer func() { err = errors.Join(err, m.stop()) }()
	if err != nil {
		return err
	}
	heading("Files into the store and out of it", "what", "size", "here", "beside it", "share", "aim")
	for _, mib := range b.sizes {
		f := filing{member: m[0], in: filepath.Join(b.dir, "in"), out: filepath.Join(b.dir, "out"), size: int64(mib) << 20}
		duels := f.duels(ctx)
		for range b.rounds {
			for _, d := range duels {
				if err := d.fight(); err != nil {
					return err
				}
			}
		}
		for _, d := range duels {
			d.report(f.size)
		}
	}
	return nil
}

// filing is the work with files of one size.
type filing struct {
	*member
	in, out string
	size    int64
	blob    api.BlobInfo // what in holds, once it is put
}

// duel times two ways to do the like, one after the other.
type duel struct {
	what, beside string
	aim          float64      // share of beside's speed
	prepare      func() error // before each of both
	here, there  func() error

	took, theirs times
}

func (f *filing) duels(ctx context.Context) []*duel {
	const openssl = "`openssl dgst -sha256`"
	fresh := func() error { return randomFile(f.in, f.size) }
	hash := func() error { return tool(ctx, os.DevNull, "openssl", "dgst", "-sha256", f.in) }
	return []*duel{
		{what: "`realm storage put`", beside: openssl, aim: putAim, prepare: fresh, there: hash, here: func() error {
			_, err := f.Do(ctx, "storage", "put", f.in)
			return err
		}},
		{what: "`PUT` to casd's socket", beside: openssl, aim: putAim, prepare: fresh, there: hash, here: func() (err error) {
			f.blob, err = f.putFile(ctx, f.in)
			return err
		}},
		{what: "`realm storage get SHA256 > FILE`", beside: "`cat`, likewise", aim: getAim, prepare: f.clear, here: func() error {
			return output(f.Command(ctx, "storage", "get", f.blob.SHA256.String()), f.out)
		}, there: func() error { return tool(ctx, f.out, "cat", f.in) }},
		{what: "`realm storage get SHA256 -o FILE`", beside: "`cat`, and sync", aim: getAim, prepare: f.clear, here: func() error {
			_, err := f.Do(ctx, "storage", "get", f.blob.SHA256.String(), "-o", f.out)
			return err
		}, there: func() error { return errors.Join(tool(ctx, f.out, "cat", f.in), flush(f.out)) }},
		{what: "`GET` from casd's socket, dropped", beside: "`cat` to `/dev/null`", aim: getAim, prepare: f.clear, here: func() error {
			return f.drain(ctx, f.blob)
		}, there: func() error { return tool(ctx, os.DevNull, "cat", f.in) }},
	}
}

// clear removes what was got, once the disk has nothing more to do with it.
func (f *filing) clear() error {
	err := flush(f.out)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return errors.Join(err, os.Remove(f.out))
}

func (d *duel) fight() error {
	for _, side := range []struct {
		work func() error
		took *times
	}{{d.there, &d.theirs}, {d.here, &d.took}} {
		if err := d.prepare(); err != nil {
			return err
		}
		begin := time.Now()
		if err := side.work(); err != nil {
			return err
		}
		*side.took = append(*side.took, time.Since(begin))
	}
	return nil
}

func (d *duel) report(size int64) {
	share := d.took.share(d.theirs)
	row(d.what, fmt.Sprintf("%d MiB", size>>20), d.took.rate(size), d.theirs.rate(size)+", "+d.beside,
		percent(share), atLeast(share, d.aim, percent(d.aim)))
}

// tool runs a program of the system, with its standard output to a file.
func tool(ctx context.Context, out, name string, args ...string) error {
	return output(exec.CommandContext(ctx, name, args...), out)
}

// output runs a command with its standard output to a file.
func output(cmd *exec.Cmd, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = f, &said
	if err := errors.Join(cmd.Run(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, said.String())
	}
	return nil
}
