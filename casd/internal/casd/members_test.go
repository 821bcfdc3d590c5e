package casd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/wire"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// index is that of a blob on n.
func (n *node) index(d api.Digest) (idx api.BlobIndex) {
	n.t.Helper()
	_, b := n.do(http.MethodGet, api.PathBlobIndex(d), nil)
	if err := api.Decode(b, api.MaxBlobIndex, &idx); err != nil {
		n.t.Fatalf("index: %v: %s", err, b)
	}
	return idx
}

// asks is a request for chunks.
func asks(t *testing.T, blob api.Digest, chunks ...api.Digest) io.Reader {
	t.Helper()
	b, err := json.Marshal(api.ChunksRequest{Blob: blob, Chunks: chunks})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b)
}

func TestChunksRoute(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(60, 2*mib)
	d := n.put(blob)
	idx := n.index(d)
	resp, b := n.do(http.MethodPost, api.PathChunks, asks(t, d, idx.Chunks[1].SHA256, api.Sum(nil), idx.Chunks[0].SHA256))
	if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(b)) {
		t.Fatalf("%s, %d bytes of %d", resp.Status, len(b), resp.ContentLength)
	}
	frames := wire.NewChunks(bytes.NewReader(b))
	for i, want := range []int{1, -1, 0} {
		size := int64(5)
		if want >= 0 {
			size = idx.Chunks[want].Size
		}
		c := make([]byte, size)
		switch err := frames.Next(c); {
		case want < 0 && !errors.Is(err, wire.ErrNoChunk), want >= 0 && err != nil:
			t.Errorf("chunk %d: %v", i, err)
		case want >= 0 && api.Sum(c) != idx.Chunks[want].SHA256:
			t.Errorf("chunk %d: other bytes", i)
		}
	}
	if err := frames.End(); err != nil {
		t.Error(err)
	}
	for _, body := range []string{"", "{}", "hello", `{"blob":"` + d.String() + `","chunks":[]}`, strings.Repeat(" ", maxAsk+1)} {
		n.refuse(400, "", http.MethodPost, api.PathChunks, strings.NewReader(body))
	}
	n.refuse(404, "not here", http.MethodGet, api.PathBlobHave(api.Sum([]byte("x"))), nil)
}

// A chunk that the disk has changed is not sent, and its blob counts as damaged.
func TestChunkWithAFlippedBitIsNotSent(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	d := n.put(noise(61, mib))
	c := n.index(d).Chunks[0]
	path := filepath.Join(n.home.State(api.Casd), "chunks", c.SHA256.String()[:2], c.SHA256.String())
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.url+api.PathChunks, asks(t, d, c.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := n.client.Do(req); err == nil {
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil || bytes.Contains(b, raw[len(raw)/2:]) {
			t.Errorf("%d bytes were sent, %v", len(b), err)
		}
	}
	_, b := n.do(http.MethodPost, api.PathChunks, asks(t, d, c.SHA256))
	if !bytes.Equal(b, wire.AppendNoChunk(nil)) {
		t.Errorf("asked again: %d bytes", len(b))
	}
	n.measures("corrupt_chunks_total 1")
}

// One member with many requests gets no more than another with a few, and neither gets
// more than the bound on uploads.
func TestGreedyMember(t *testing.T) {
	const rate = 24 << 20
	n := start(t, t.TempDir(), func(c *Config) { c.Upload = rate })
	d := n.put(noise(62, 8*mib))
	var chunks []api.Digest
	for _, c := range n.index(d).Chunks[:32] {
		chunks = append(chunks, c.SHA256)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var sent [2]atomic.Int64
	var all sync.WaitGroup
	for who, streams := range []int{64, 4} {
		for range streams {
			all.Go(func() {
				for ctx.Err() == nil {
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+api.PathChunks, asks(t, d, chunks...))
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set(local.HeaderPeer, string(peerID(string(rune('A'+who)))))
					resp, err := n.client.Do(req)
					if err != nil {
						return // the time is over
					}
					got, _ := io.Copy(io.Discard, resp.Body)
					sent[who].Add(got)
					resp.Body.Close()
				}
			})
		}
	}
	all.Wait()
	took := time.Since(began).Seconds()
	greedy, modest := float64(sent[0].Load()), float64(sent[1].Load())
	t.Logf("64 streams: %.1f MB, 4 streams: %.1f MB", greedy/1e6, modest/1e6)
	if ratio := greedy / modest; ratio > 1.3 || ratio < 0.7 {
		t.Errorf("the greedy one got %.2f times as much", ratio)
	}
	if most := float64(rate)*(took+0.5) + float64(rate)/4; greedy+modest > most {
		t.Errorf("%.0f bytes were sent, at most %.0f", greedy+modest, most)
	}
}

// Streams that tell what is here are bounded for each member.
func TestFollowersAreBounded(t *testing.T) {
	m := &members{followers: map[api.PeerID]int{}}
	for range followersEach {
		if !m.follow("a") {
			t.Fatal("refused too early")
		}
	}
	if m.follow("a") || !m.follow("b") {
		t.Error("one more was let in, or another member was not")
	}
	m.unfollow("a")
	if !m.follow("a") {
		t.Error("the place of one that has gone is not free")
	}
}
