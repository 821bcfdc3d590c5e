package fetch

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/share"
	"github.com/realm-mesh/realm/casd/internal/store"
)

// envFetch makes this binary a process that fetches: "FOLDER MESHD BLOB PEER…".
const envFetch = "REALM_TEST_FETCH"

func TestMain(m *testing.M) {
	if args := os.Getenv(envFetch); args != "" {
		if err := fetchAlone(strings.Fields(args)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leakTestMain(m)
}

// fetchAlone says when it has begun, and ends when the blob is here.
func fetchAlone(args []string) error {
	blob, err := api.ParseDigest(args[2])
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	s := store.New(args[0], log, nil)
	if err := s.Recover(); err != nil {
		return err
	}
	var peers []api.PeerID
	for _, p := range args[3:] {
		peers = append(peers, api.PeerID(p))
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", args[1])
	}}
	f := New(DefaultConfig(), Parts{
		Store: s, Providers: func(context.Context, api.Digest) ([]api.PeerID, error) { return peers, nil },
		Client: &http.Client{Transport: transport}, Metrics: NewMetrics(prometheus.NewRegistry()), Log: log,
		Downloads: share.New(share.Config{AtOnce: 16, Each: 16, Slow: time.Second}),
		Begun:     func(api.Digest) {}, Landed: func(api.Digest) {},
	})
	fmt.Println("begun")
	_, err = f.Fetch(context.Background(), blob, 0)
	return err
}

// A process that is killed at any point while it fetches goes on, the next time, from
// what has come: what was on its way is all that comes twice.
func TestKilledWhileFetching(t *testing.T) {
	const kills = 60
	m := newMesh(t)
	blob := noise(50, 120*mib)
	a, b := m.join("A", blob), m.join("B", blob)
	a.spoils(1, after(a, 4*time.Millisecond))
	b.spoils(1, after(b, 4*time.Millisecond))
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(50, 1))
	killed := 0
	for done := false; !done; {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %s %s", envFetch, dir, m.meshd.Listener.Addr(), api.Sum(blob), a.id, b.id))
		cmd.Stderr = t.Output()
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		begun := bufio.NewScanner(out).Scan()
		if killed < kills {
			time.Sleep(time.Duration(random.IntN(24)) * time.Millisecond)
			_ = cmd.Process.Kill() // it may have ended by itself
		}
		switch err := cmd.Wait(); {
		case err == nil:
			done = true
		case killed == kills || !begun:
			t.Fatalf("after %d kills: %v", killed, err)
		default:
			killed++
		}
	}
	s := store.New(dir, slog.New(slog.DiscardHandler), nil)
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	m.store = s
	m.onlyBlob(blob)
	if err := m.reads(blob); err != nil {
		t.Error(err)
	}
	sent := int(a.chunks.Load() + b.chunks.Load())
	t.Logf("%d kills; %d chunks were sent for the %d of the blob", killed, sent, len(blob)/mib)
	if most := len(blob)/mib + killed*2*workers*mostBatch/mib; sent > most {
		t.Errorf("%d chunks were sent, at most %d", sent, most)
	}
	if killed < 50 {
		t.Errorf("it was killed %d times only before it was done", killed)
	}
}
