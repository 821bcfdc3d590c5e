package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
)

// Environment of the child that [TestKilled] starts: this test binary again.
const (
	envChildDir  = "STORE_CHILD_DIR"
	envChildSeed = "STORE_CHILD_SEED"
	// envChildNamed: chunks have a name under tmp first, as where there are no files
	// without one.
	envChildNamed = "STORE_CHILD_NAMED"
)

// What the child says of a blob, before and after: one line each.
const (
	saysReady   = "ready"
	saysHas     = "has"
	saysRemoves = "removes"
	saysRemoved = "removed"
)

// crashBlob is a blob of up to 400 kB that shares stretches with others.
func crashBlob(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var parts [][]byte
	for range 1 + rng.IntN(3) {
		parts = append(parts, noise(1<<20+rng.Uint64N(6), 60_000), noise(seed, rng.IntN(60_000)))
	}
	return slices.Concat(parts...)
}

// workForEver puts, fetches and removes blobs, each in a goroutine of its own, and says
// so.
func workForEver(dir, seed string) error {
	first, err := strconv.ParseUint(seed, 10, 32)
	if err != nil {
		return err
	}
	fmt.Println(saysReady)
	s := New(dir, slog.New(slog.DiscardHandler), nil)
	if err := s.Recover(); err != nil {
		return err
	}
	s.nameless = s.nameless && os.Getenv(envChildNamed) == ""
	w := &worker{store: s}
	if w.blobs, err = s.Blobs(); err != nil {
		return err
	}
	var g errgroup.Group
	g.Go(func() error { return w.forEver(first, w.put) })
	g.Go(func() error { return w.forEver(first+1, w.fetch) })
	g.Go(func() error { return w.forEver(first, w.remove) })
	return g.Wait()
}

type worker struct {
	store *Store
	mu    sync.Mutex
	blobs []api.Digest
}

func (w *worker) forEver(seed uint64, fn func(seed uint64) error) error {
	for ; ; seed += 2 {
		if err := fn(seed); err != nil {
			return err
		}
	}
}

func (w *worker) say(what string, d api.Digest, seed uint64) {
	fmt.Printf("%s %s %d\n", what, d, seed) // one write: lines do not mix
}

func (w *worker) has(d api.Digest, seed uint64) {
	w.say(saysHas, d, seed)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blobs = append(w.blobs, d)
}

func (w *worker) put(seed uint64) error {
	b := crashBlob(seed)
	info, err := w.store.Put(context.Background(), bytes.NewReader(b), int64(len(b)), api.Sum(b))
	if err == nil {
		w.has(info.SHA256, seed)
	}
	return err
}

func (w *worker) fetch(seed uint64) error {
	b := crashBlob(seed)
	idx, err := indexFor(b)
	if err != nil {
		return err
	}
	defer w.store.Lease(idx.SHA256)()
	if err = w.store.fetch(idx, b); err == nil {
		w.has(idx.SHA256, seed)
	}
	return err
}

// remove keeps the store at some 12 blobs.
func (w *worker) remove(uint64) error {
	w.mu.Lock()
	var d api.Digest
	if len(w.blobs) > 12 {
		i := rand.IntN(len(w.blobs))
		d = w.blobs[i]
		w.blobs = slices.Delete(w.blobs, i, i+1)
	}
	w.mu.Unlock()
	if d.IsZero() {
		time.Sleep(time.Millisecond)
		return nil
	}
	w.say(saysRemoves, d, 0)
	gone, _, err := w.store.Remove(context.Background(), []api.Digest{d})
	if err == nil && len(gone) == 0 { // leased: the fetch that brought it has not ended
		w.mu.Lock()
		defer w.mu.Unlock()
		w.blobs = append(w.blobs, d)
		return nil
	}
	if err == nil {
		w.say(saysRemoved, d, 0)
	}
	return err
}

// A process that puts, fetches and removes is killed 200 times. Whatever it
// acknowledged reads back, nothing else is whole, and nothing half-written stays.
func TestKilled(t *testing.T) {
	const stores, kills = 4, 50
	for i := range uint64(stores) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			c := &crashes{dir: t.TempDir(), named: i%2 == 1, seeds: map[api.Digest]uint64{}, removing: map[api.Digest]bool{}}
			for round := range uint64(kills) {
				from := saysReady // it may be killed while it starts
				if round%2 == 0 {
					from = saysHas
				}
				c.run(t, round*100_000, from)
				c.check(t, round%10 == 9)
				if t.Failed() {
					t.Fatalf("after %d kills", round+1)
				}
			}
			if c.acked < kills/2 || c.removed < kills/10 {
				t.Errorf("only %d blobs were acknowledged and %d removed", c.acked, c.removed)
			}
			t.Logf("%d blobs acknowledged, %d removed", c.acked, c.removed)
		})
	}
}

// crashes is one store, and what its children have said of it.
type crashes struct {
	dir            string
	named          bool
	seeds          map[api.Digest]uint64 // that must be here
	removing       map[api.Digest]bool   // that may be
	acked, removed int
}

// run starts a child and kills it some time after it has said so.
func (c *crashes) run(t *testing.T, seed uint64, from string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	child := exec.CommandContext(ctx, exe)
	child.Env = append(os.Environ(), envChildDir+"="+c.dir, envChildSeed+"="+strconv.FormatUint(seed, 10))
	if c.named {
		child.Env = append(child.Env, envChildNamed+"=1")
	}
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	dying := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !dying && strings.HasPrefix(lines.Text(), from) {
			dying = true
			time.AfterFunc(rand.N(100*time.Millisecond), func() { _ = child.Process.Kill() }) // the process may have ended
		}
		if lines.Text() != saysReady {
			c.note(t, lines.Text())
		}
	}
	if err := child.Wait(); err == nil || ctx.Err() != nil {
		t.Fatalf("the child ended by itself, or not at all: %v", err)
	}
}

func (c *crashes) note(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if len(words) != 3 {
		t.Fatalf("the child says %q", line)
	}
	d, err := api.ParseDigest(words[1])
	seed, err2 := strconv.ParseUint(words[2], 10, 64)
	if err := errors.Join(err, err2); err != nil {
		t.Fatalf("the child says %q: %v", line, err)
	}
	switch words[0] {
	case saysHas:
		c.seeds[d] = seed
		c.acked++
	case saysRemoves:
		delete(c.seeds, d)
		c.removing[d] = true
	case saysRemoved:
		delete(c.removing, d)
		c.removed++
	default:
		t.Fatalf("the child says %q", line)
	}
}

// check looks at what the child left; more closely now and then.
func (c *crashes) check(t *testing.T, closely bool) {
	t.Helper()
	s := openStore(t, c.dir)
	all, err := s.Blobs()
	if err != nil {
		t.Fatal(err)
	}
	here := map[api.Digest]bool{}
	for _, d := range all {
		b, err := get(s, d)
		if err != nil || api.Sum(b) != d {
			t.Errorf("blob %s: %d bytes, %v", d.Short(), len(b), err)
		}
		here[d] = true
	}
	for d, seed := range c.seeds {
		if !here[d] {
			t.Errorf("blob %d (%s) was acknowledged and is gone", seed, d.Short())
		}
	}
	if n := s.Stats().Corrupt; n != 0 {
		t.Errorf("%d chunks are damaged", n)
	}
	if aside := dirEntries(t, s.path(dirCorrupt)); len(aside) != 0 {
		t.Errorf("moved aside: %v", aside)
	}
	if left := dirEntries(t, s.path(dirTemp)); len(left) != 0 {
		t.Errorf("left in tmp: %v", left)
	}
	if closely {
		closed(t, s)
	}
}
