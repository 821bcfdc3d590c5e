package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/indexfile"
)

// Each compares with plain SHA-256 of the same bytes in the same run ("of-sha256"):
//
//	go test -run '^$' -bench . ./internal/store
var benchSizes = []int{200_000, 2_000_000, 30_000_000, 256_000_000}

// fresh changes every chunk of b.
func fresh(b []byte, n uint64) {
	for at := 0; at+8 <= len(b); at += 2 << 10 {
		binary.LittleEndian.PutUint64(b[at:], n*1e9+uint64(at))
	}
}

// bySize runs fn for bodies of several sizes, each time with another one, and reports
// how fast it is beside SHA-256.
func bySize(b *testing.B, fn func(b *testing.B, s *Store, body []byte)) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dkB", size/1000), func(b *testing.B) {
			s := openStore(b, b.TempDir())
			body := noise(uint64(size), size)
			b.SetBytes(int64(size))
			var sum, took time.Duration
			for n := uint64(0); b.Loop(); n++ {
				b.StopTimer()
				fresh(body, n)
				start := time.Now()
				sha256.Sum256(body)
				sum += time.Since(start)
				b.StartTimer()
				start = time.Now()
				fn(b, s, body)
				took += time.Since(start)
			}
			b.ReportMetric(float64(sum)/float64(took), "of-sha256")
		})
	}
}

func putBody(b *testing.B, s *Store, r io.Reader, size int) api.Digest {
	info, err := s.Put(context.Background(), r, int64(size), api.Digest{})
	if err != nil {
		b.Fatal(err)
	}
	return info.SHA256
}

func removeAgain(b *testing.B, s *Store, d api.Digest) {
	b.StopTimer()
	if _, _, err := s.Remove(context.Background(), []api.Digest{d}); err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
}

func BenchmarkPut(b *testing.B) {
	bySize(b, func(b *testing.B, s *Store, body []byte) {
		removeAgain(b, s, putBody(b, s, bytes.NewReader(body), len(body)))
	})
}

// BenchmarkPutOverSocket is what a push costs: HTTP on a Unix socket.
func BenchmarkPutOverSocket(b *testing.B) {
	stores := make(chan *Store, 1)
	client := serve(b, func(w http.ResponseWriter, r *http.Request) {
		s := <-stores
		info, err := s.Put(r.Context(), r.Body, r.ContentLength, api.Digest{})
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, info.SHA256.String()) // the client misses it
	})
	bySize(b, func(b *testing.B, s *Store, body []byte) {
		stores <- s
		req, err := http.NewRequest(http.MethodPut, "http://store/", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		removeAgain(b, s, answer(b, client, req))
	})
}

func answer(b *testing.B, client *http.Client, req *http.Request) api.Digest {
	resp, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	d, err2 := api.ParseDigest(string(text))
	if err := errors.Join(err, err2); err != nil {
		b.Fatal(resp.Status, err)
	}
	return d
}

// serve returns a client whose requests fn answers.
func serve(b *testing.B, fn http.HandlerFunc) *http.Client {
	path := filepath.Join(b.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: fn}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	b.Cleanup(func() {
		client.CloseIdleConnections()
		if err := errors.Join(server.Close(), <-ended); !errors.Is(err, http.ErrServerClosed) {
			b.Error(err)
		}
	})
	return client
}

func BenchmarkPutAgain(b *testing.B) {
	s := openStore(b, b.TempDir())
	body := noise(3, 16*mib)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		putBody(b, s, bytes.NewReader(body), len(body))
	}
}

func BenchmarkVerifiedGet(b *testing.B) {
	bySize(b, func(b *testing.B, s *Store, body []byte) {
		b.StopTimer()
		d := putBody(b, s, bytes.NewReader(body), len(body))
		b.StartTimer()
		r, err := s.Open(d)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
		r.Close()
		removeAgain(b, s, d)
	})
}

// BenchmarkFetch brings blobs as from a peer that is next door.
func BenchmarkFetch(b *testing.B) {
	bySize(b, func(b *testing.B, s *Store, body []byte) {
		b.StopTimer()
		idx := indexOf(b, body)
		b.StartTimer()
		if err := s.fetch(idx, body); err != nil {
			b.Fatal(err)
		}
		removeAgain(b, s, idx.SHA256)
	})
}

// BenchmarkRecover opens stores of many small blobs.
func BenchmarkRecover(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := manyBlobs(b, n)
			for b.Loop() {
				openStore(b, s.dir)
			}
		})
	}
}

// BenchmarkRecords lists as many.
func BenchmarkRecords(b *testing.B) {
	s := manyBlobs(b, 100_000)
	s = openStore(b, s.dir)
	for b.Loop() {
		if err := s.Records(func(Record) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// manyBlobs lays out a store of n blobs of one chunk each.
func manyBlobs(b *testing.B, n int) *Store {
	s := openStore(b, b.TempDir())
	for i := range n {
		content := binary.BigEndian.AppendUint64(nil, uint64(i))
		c := api.BlobInfo{SHA256: api.Sum(content), Size: int64(len(content))}
		var idx bytes.Buffer
		err := indexfile.Write(&idx, api.BlobIndex{BlobInfo: c, Chunks: []api.BlobInfo{c}}, time.Now())
		if err := errors.Join(err, os.WriteFile(s.chunkPath(c.SHA256), content, 0o600), os.WriteFile(s.indexPath(c.SHA256, extWhole), idx.Bytes(), 0o600)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}
