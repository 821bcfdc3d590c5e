package store

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
)

// Environment of the child that [TestKilled] starts: this test binary again.
const (
	envChildDir  = "STORE_CHILD_DIR"
	envChildSeed = "STORE_CHILD_SEED"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envChildDir); dir != "" {
		fmt.Println(putForEver(dir, os.Getenv(envChildSeed)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// putForEver puts blob after blob, two at a time, and prints the seed and size of
// each once it is acknowledged.
func putForEver(dir, seed string) error {
	first, err := strconv.ParseUint(seed, 10, 32)
	if err != nil {
		return err
	}
	s := New(dir, slog.New(slog.NewTextHandler(os.Stderr, nil)), nil)
	if err := s.Recover(); err != nil {
		return err
	}
	var g errgroup.Group
	for worker := range uint64(2) {
		g.Go(func() error {
			for seed := first + worker; ; seed += 2 {
				b := noise(seed, childSize(seed))
				if _, err := s.Put(context.Background(), bytes.NewReader(b), int64(len(b)), api.Sum(b)); err != nil {
					return err
				}
				fmt.Printf("%d\n", seed) // one write: lines do not mix
			}
		})
	}
	return g.Wait()
}

func childSize(seed uint64) int { return int(seed*seed*7919) % (3 * mib) }

// A process that puts is killed again and again. Whatever it acknowledged reads
// back, and nothing half-written stays.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	acked := map[uint64]bool{}
	for round := range uint64(8) {
		for _, seed := range putAndKill(t, dir, 1000*round, time.Duration(20+rng.IntN(250))*time.Millisecond) {
			acked[seed] = true
		}
		s := openStore(t, dir)
		if left := dirEntries(t, s.path(dirTemp)); len(left) != 0 {
			t.Fatalf("left in tmp: %v", left)
		}
		listed := map[api.Digest]bool{}
		all, err := s.Blobs()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			idx, err := s.Index(d)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range idx.Chunks {
				listed[c.SHA256] = true
			}
		}
		if st := s.Stats(); int(st.Chunks) != len(listed) {
			t.Errorf("%d chunks, %d of them listed by an index", st.Chunks, len(listed))
		}
	}
	if len(acked) < 8 {
		t.Fatalf("only %d blobs were acknowledged before the kills", len(acked))
	}
	s := openStore(t, dir)
	for seed := range acked {
		want := noise(seed, childSize(seed))
		if got, err := get(s, api.Sum(want)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("blob %d was acknowledged, now %d bytes, %v", seed, len(got), err)
		}
	}
	t.Logf("%d blobs acknowledged over 8 kills", len(acked))
}

// putAndKill runs the child, kills it some time after its first acknowledgement,
// and returns what it acknowledged.
func putAndKill(t *testing.T, dir string, seed uint64, after time.Duration) []uint64 {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	child := exec.CommandContext(ctx, exe)
	child.Env = append(os.Environ(), envChildDir+"="+dir, envChildSeed+"="+strconv.FormatUint(seed, 10))
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []uint64
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if acked == nil {
			time.AfterFunc(after, func() { _ = child.Process.Kill() }) // the process may have ended
		}
		n, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		acked = append(acked, n)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return acked
}
