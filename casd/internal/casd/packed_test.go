package casd

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/wire"
)

// program is bytes that look like machine code: calls of addresses at random, among the
// same few words.
func program(seed byte, n int) []byte {
	random := noise(seed, n/8*2)
	b := make([]byte, 0, n+8)
	for i := 0; len(b) < n; i += 2 {
		b = append(b, 0x48, 0x8b, 0x05, random[i], random[i+1], 0, 0, 0xe8)
	}
	return b[:n]
}

// grown is the next version of a program: the second half has all its addresses moved.
func grown(b []byte) []byte {
	next := slices.Clone(b)
	for i := len(b) / 2 / 8 * 8; i+8 <= len(b); i += 64 {
		next[i+5]++
	}
	return next
}

// moved is what a node has taken from others so far, in bytes.
func (s swarm) moved(i int) (n float64) { return s[i].value(`swarm_bytes_total{direction="in"}`) }

func TestProgramMovesPacked(t *testing.T) {
	s := newSwarm(t, 2, nil)
	old := program(1, 4*mib)
	s[1:].fetch(s[0].put(old))
	if n := s.moved(1); n > 3*mib || n < mib/4 {
		t.Errorf("the first version moved %.0f bytes", n)
	}
	next, before := grown(old), s.moved(1)
	d := s[0].put(next)
	s[1:].fetch(d)
	if n := s.moved(1) - before; n > mib/3 {
		t.Errorf("the next version moved %.0f bytes", n)
	}
	if _, b := s[1].do(http.MethodGet, api.PathBlob(d), nil); !bytes.Equal(b, next) {
		t.Error("other bytes")
	}
}

// Who sends has removed the old version: it packs without it.
func TestSenderLacksHistory(t *testing.T) {
	s := newSwarm(t, 2, nil)
	old := program(2, 2*mib)
	first := s[0].put(old)
	s[1:].fetch(first)
	if _, _, err := s[0].daemon.store.Remove(t.Context(), []api.Digest{first}); err != nil {
		t.Fatal(err)
	}
	d := s[0].put(grown(old))
	s[1:].fetch(d)
	if _, b := s[1].do(http.MethodGet, api.PathBlob(d), nil); !bytes.Equal(b, grown(old)) {
		t.Error("other bytes")
	}
}

// The disk has changed the old version, on either side, before it was of use again.
func TestHistoryIsDamaged(t *testing.T) {
	for side := range 2 {
		s := newSwarm(t, 2, nil)
		old := program(3, 2*mib)
		first := s[0].put(old)
		s[1:].fetch(first)
		idx := s[0].index(first)
		for _, c := range idx.Chunks[len(idx.Chunks)*3/4:] {
			path := filepath.Join(s[side].home.State(api.Casd), "chunks", c.SHA256.String()[:2], c.SHA256.String())
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/2] ^= 1
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d := s[0].put(grown(old))
		s[1:].fetch(d)
		if _, b := s[1].do(http.MethodGet, api.PathBlob(d), nil); !bytes.Equal(b, grown(old)) {
			t.Errorf("side %d: other bytes", side)
		}
	}
}

// Noise is sent as it is, and so is everything to a member that does not know packing.
func TestNoiseIsNotPacked(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	noise, code := n.put(noise(62, mib)), n.put(program(4, mib))
	for _, tt := range []struct {
		blob   api.Digest
		accept string
		packed bool
	}{{noise, wire.Encoding, false}, {code, wire.Encoding, true}, {code, "gzip", false}, {code, "", false}} {
		var all []api.Digest
		size := int64(0)
		for _, c := range n.index(tt.blob).Chunks {
			all = append(all, c.SHA256)
			size += c.Size + wire.FrameHead
		}
		resp, b := n.do(http.MethodPost, api.PathChunks, asks(t, tt.blob, all...), "Accept-Encoding", tt.accept, api.HeaderHistory, "nonsense")
		if got := resp.Header.Get("Content-Encoding") == wire.Encoding; got != tt.packed {
			t.Errorf("%q: packed %v, want %v", tt.accept, got, tt.packed)
		}
		if !tt.packed {
			if int64(len(b)) != size || resp.ContentLength != size {
				t.Errorf("%q: %d bytes of %d", tt.accept, len(b), size)
			}
			continue
		}
		u, err := wire.Unpack(bytes.NewReader(b), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		if plain, err := io.ReadAll(u); err != nil || int64(len(plain)) != size || len(b) > int(size)*3/4 {
			t.Errorf("%d bytes in %d, want %d: %v", len(plain), len(b), size, err)
		}
	}
}

// A bound on uploads is for what is sent.
func TestPackedUploadIsBoundAsSent(t *testing.T) {
	const rate = mib
	s := newSwarm(t, 2, func(i int, c *Config) {
		if i == 0 {
			c.Upload = rate
		} else {
			c.Download = rate
		}
	})
	b := []byte(strings.Repeat("all work and no play makes Jack a dull boy, said the fox; ", 16*mib/58))
	for i := 0; i < len(b); i += 512 {
		copy(b[i:], noise(byte(i>>9), 8))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d := s[0].put(b)
	began := time.Now()
	if _, err := s[1].daemon.members.fetcher.Fetch(ctx, d, 0); err != nil {
		t.Fatal(err)
	}
	if took, plain := time.Since(began), time.Duration(len(b)/rate)*time.Second; took > plain*2/3 {
		t.Errorf("%v, and it would take %v as it is", took, plain)
	}
}
