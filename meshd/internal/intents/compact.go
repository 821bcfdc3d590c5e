package intents

import (
	"bufio"
	"errors"
	"io"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// compactSlack is how much longer than twice what is held the log may become.
const compactSlack = 1 << 20

// compactIfLong keeps the log in proportion to what is held.
func (k *Keeper) compactIfLong() {
	if k.journal.size > max(k.compactAt, 2*k.live+compactSlack) {
		k.compact()
	}
}

// compact writes the log anew, in the same order, without what is no longer held.
// Where that cannot be done now the log stays as it is.
func (k *Keeper) compact() {
	k.compactAt = k.journal.size + compactSlack
	err := k.cfg.Room(k.live)
	if err == nil {
		err = k.rewrite()
	}
	if err != nil {
		k.cfg.Log.Warn("the log of intents is not compacted; it is kept as it is", "path", k.cfg.Path, telemetry.Error(err))
		return
	}
	k.compactAt = 0
}

// rewrite replaces the log by one that holds what is held alone.
func (k *Keeper) rewrite() error {
	to, err := os.OpenFile(k.cfg.Path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(to.Name()) // fails once renamed: meant
	size, err := k.copyHeld(to)
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return err
	}
	// Not every system renames over an open file.
	if err := k.journal.close(); err != nil {
		return err
	}
	err = atomicfile.Rename(to.Name(), k.cfg.Path)
	if err != nil {
		size = k.journal.size
	}
	j, openErr := openJournal(k.cfg.Path, size)
	if openErr == nil {
		k.journal = j
	}
	return errors.Join(err, openErr)
}

// copyHeld writes the lines of what is held, each once, and returns their size.
func (k *Keeper) copyHeld(to io.Writer) (size int64, err error) {
	from, err := os.Open(k.cfg.Path)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	header, err := headerOf(k.cfg.Pin)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriter(to)
	keep := func(line []byte) error {
		n, err := out.Write(line)
		size += int64(n)
		return err
	}
	if err := keep(header); err != nil {
		return 0, err
	}
	seen := map[api.Digest]struct{}{}
	err = eachLine(io.LimitReader(from, k.journal.size), func(line []byte, _ int64) error {
		d, ok := intent.Peek(line)
		if _, twice := seen[d]; !ok || twice || !k.keeps(d) {
			return nil
		}
		seen[d] = struct{}{}
		return keep(append(line, '\n'))
	})
	return size, errors.Join(err, out.Flush())
}

// keeps reports whether the intent with this payload belongs into the log.
func (k *Keeper) keeps(d api.Digest) bool {
	if _, ok := k.opaque[d]; ok {
		return true
	}
	_, held := k.ledger.Held(d)
	return held
}
