package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
)

// memoryAim is what each daemon may have resident at most, in bytes.
const memoryAim = 100e6

// memory moves one large blob into a node, and from it to another.
func (b *bench) memory(ctx context.Context) (err error) {
	m, err := b.newMesh(ctx, 2)
	defer func() { err = errors.Join(err, m.stop()) }()
	if err != nil {
		return err
	}
	heading(fmt.Sprintf("Resident memory while %d MiB move", b.transferMiB), "what", "speed", "daemon", "peak", "aim")
	var blob api.BlobInfo
	size := int64(b.transferMiB) << 20
	err = m[:1].peaks("put", size, func() (err error) {
		blob, err = m[0].put(ctx, randomBytes(size), size)
		return err
	})
	if err != nil {
		return err
	}
	return m.peaks("fetch", size, func() error { return m[1].fetch(ctx, blob) })
}

// peaks tells what the two daemons that bytes pass through had resident at most
// during work.
func (m mesh) peaks(what string, size int64, work func() error) error {
	watched := []api.Daemon{api.Casd, api.Meshd}
	for _, n := range m {
		for _, d := range watched {
			if err := forgetPeak(n.daemons[d]); err != nil {
				return err
			}
		}
	}
	begin := time.Now()
	if err := work(); err != nil {
		return err
	}
	speed := times{time.Since(begin)}.rate(size)
	for i, n := range m {
		for _, d := range watched {
			got, err := peak(n.daemons[d])
			if err != nil {
				return err
			}
			row(what, speed, fmt.Sprintf("%s of the %s", d, []string{"sender", "receiver"}[i]), megabytes(got),
				below(float64(got), memoryAim, "100 MB"))
		}
	}
	return nil
}
