package casd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

func TestPutAndGet(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(1, 2*mib+100)
	d := n.put(blob)
	path := api.PathBlob(d)

	resp, got := n.do(http.MethodGet, path, nil)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(got, blob) || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("get: %s, %d bytes, %v", resp.Status, len(got), resp.Header)
	}
	resp, got = n.do(http.MethodHead, path, nil)
	if resp.StatusCode != http.StatusOK || len(got) != 0 || resp.ContentLength != int64(len(blob)) {
		t.Errorf("head: %s, %d bytes", resp.Status, resp.ContentLength)
	}
	resp, _ = n.do(http.MethodGet, path, nil, "If-None-Match", resp.Header.Get("ETag"))
	if resp.StatusCode != http.StatusNotModified {
		t.Errorf("get with its ETag: %s", resp.Status)
	}
	from, to := n.chunkAt(d, mib)
	resp, got = n.do(http.MethodGet, api.PathChunk(api.Sum(blob[from:to])), nil)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(got, blob[from:to]) {
		t.Errorf("chunk: %s, %d bytes", resp.Status, len(got))
	}
	empty := n.put(nil)
	if resp, got := n.do(http.MethodGet, api.PathBlob(empty), nil); resp.StatusCode != http.StatusOK || len(got) != 0 {
		t.Errorf("empty blob: %s, %d bytes", resp.Status, len(got))
	}
	n.measures("blobs 2", fmt.Sprint("chunk_bytes ", float64(len(blob))),
		`puts_total{result="ok"} 2`, `gets_total{result="ok"} 5`, "corrupt_chunks_total 0")
}

func TestRanges(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(2, 2*mib+100)
	path := api.PathBlob(n.put(blob))
	tests := []struct {
		header string
		status int
		want   []byte
	}{
		{"bytes=0-0", 206, blob[:1]},
		{"bytes=10-19", 206, blob[10:20]},
		{"bytes=1048570-1048581", 206, blob[1048570:1048582]}, // over the edge of a chunk
		{"bytes=-5", 206, blob[len(blob)-5:]},
		{"bytes=2097152-", 206, blob[2097152:]},
		{"bytes=0-99999999", 206, blob},
		{"bytes=99999999-", 416, nil},
		{"bytes=x", 416, nil},
	}
	for _, tt := range tests {
		resp, got := n.do(http.MethodGet, path, nil, "Range", tt.header)
		if resp.StatusCode != tt.status || tt.status == 206 && !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %s, %d bytes; want %d, %d bytes", tt.header, resp.Status, len(got), tt.status, len(tt.want))
		}
	}
	resp, got := n.do(http.MethodGet, path, nil, "Range", "bytes=0-1,1048576-1048577")
	if resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/byteranges") ||
		!bytes.Contains(got, blob[1048576:1048578]) {
		t.Errorf("two ranges: %s, %v", resp.Status, resp.Header)
	}
}

func TestRefusals(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	n.put(noise(3, 10))
	here := n.tree()
	d := api.Sum([]byte("not here"))
	tests := []struct {
		status       int
		text         string
		method, path string
		body         string
	}{
		{400, "64 lower-case", "GET", "/blobs/abc", ""},
		{400, "64 lower-case", "GET", "/blobs/" + strings.ToUpper(d.String()), ""},
		{400, "zero", "GET", "/blobs/" + strings.Repeat("0", 64), ""},
		{400, "zero", "GET", "/chunks/" + strings.Repeat("0", 64), ""},
		{400, "64 lower-case", "GET", "/blobs/..%2f..%2fkeys/index", ""},
		{400, "64 lower-case", "POST", "/blobs/abc/fetch", ""},
		{400, "number of bytes", "POST", api.PathBlobFetch(d) + "?size=-1", ""},
		{400, "64 lower-case", "PUT", "/blobs?sha256=xyz", "body"},
		{400, "they have " + api.Sum([]byte("body")).String(), "PUT", "/blobs?sha256=" + d.String(), "body"},
		{404, "POST /blobs/", "GET", api.PathBlob(d), ""},
		{404, "POST /blobs/", "GET", api.PathBlobIndex(d), ""},
		{404, "not here", "GET", api.PathChunk(d), ""},
		{404, "no reachable member has it", "POST", api.PathBlobFetch(d), ""},
	}
	for _, tt := range tests {
		n.refuse(tt.status, tt.text, tt.method, tt.path, strings.NewReader(tt.body))
	}
	if now := n.tree(); !slices.Equal(here, now) {
		t.Errorf("files %v, before %v", now, here)
	}
	n.measures(`puts_total{result="refused"} 2`, `fetches_total{result="not_found"} 1`, `gets_total{result="not_found"} 2`)
}

// tree lists the files of the store.
func (n *node) tree() []string {
	n.t.Helper()
	var out []string
	err := filepath.WalkDir(n.home.State(api.Casd), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "scrub.json" {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func (n *node) flipBit(chunk []byte) {
	n.t.Helper()
	name := api.Sum(chunk).String()
	path := filepath.Join(n.home.State(api.Casd), "chunks", name[:2], name)
	b := slices.Clone(chunk)
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// Wrong bytes never leave: damage in the first chunk that is asked for is an
// error, later damage cuts the answer before it. Then a fetch mends the blob.
func TestFlippedBit(t *testing.T) {
	blob := noise(4, 3*mib)
	unwanted := func(c *Config) { patient(c); c.Scrub.Lately = 0 } // it is not mended before it is asked for
	a, b := start(t, t.TempDir(), unwanted), start(t, t.TempDir(), nil)
	d := b.put(blob)
	a.put(blob)
	a.peers(map[api.PeerID]*node{peerID("B"): b})
	path := api.PathBlob(d)

	_, first := a.chunkAt(d, 0)
	a.flipBit(blob[:first])
	a.refuse(500, "POST "+api.PathBlobFetch(d), "GET", path, nil)
	a.refuse(404, "not here", "GET", path, nil)
	a.mend(d, blob)

	from, to := a.chunkAt(d, mib)
	a.flipBit(blob[from:to])
	resp, err := a.client.Get(a.url + path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(got, blob[:len(got)]) || len(got) > from {
		t.Errorf("read %d bytes, %v; want at most %d and a cut", len(got), err, from)
	}
	a.mend(d, blob)

	from, to = a.chunkAt(d, 2*mib)
	a.flipBit(blob[from:to])
	if resp, got := a.do("GET", path, nil, "Range", "bytes=5-9"); resp.StatusCode != http.StatusPartialContent || !bytes.Equal(got, blob[5:10]) {
		t.Errorf("a range without the damage: %s", resp.Status)
	}
	a.refuse(500, "damaged", "GET", api.PathChunk(api.Sum(blob[from:to])), nil)
	a.refuse(404, "not here", "GET", api.PathChunk(api.Sum(blob[from:to])), nil)
	a.mend(d, blob)
	a.measures("corrupt_chunks_total 3", `fetches_total{result="ok"} 3`)
	if n := strings.Count(strings.Join(a.tree(), "\n"), "/corrupt/"); n != 0 {
		t.Errorf("%d damaged files are kept after mending", n)
	}
}

// chunkAt returns where the chunk begins and ends that holds a byte of a blob.
func (n *node) chunkAt(d api.Digest, at int) (from, to int) {
	n.t.Helper()
	_, body := n.do(http.MethodGet, api.PathBlobIndex(d), nil)
	var idx api.BlobIndex
	if err := api.Decode(body, api.MaxBlobIndex, &idx); err != nil || idx.SHA256 != d {
		n.t.Fatalf("index: %v, %s", err, body)
	}
	for _, c := range idx.Chunks {
		from, to = to, to+int(c.Size)
		if to > at {
			return from, to
		}
	}
	n.t.Fatalf("no chunk has byte %d of %d", at, idx.Size)
	return 0, 0
}

func (n *node) mend(d api.Digest, blob []byte) {
	n.t.Helper()
	resp, body := n.do(http.MethodPost, api.PathBlobFetch(d), nil)
	if resp.StatusCode != http.StatusOK {
		n.t.Fatalf("fetch: %s %s", resp.Status, body)
	}
	if resp, got := n.do(http.MethodGet, api.PathBlob(d), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, blob) {
		n.t.Fatalf("after the fetch: %s, %d bytes", resp.Status, len(got))
	}
}

func TestFetchBetweenNodes(t *testing.T) {
	a, b, c := start(t, t.TempDir(), patient), start(t, t.TempDir(), nil), start(t, t.TempDir(), nil)
	blob := noise(5, 5*mib+1)
	d := c.put(blob)
	a.peers(map[api.PeerID]*node{peerID("B"): b, peerID("C"): c})
	resp, body := a.do(http.MethodPost, api.PathBlobFetch(d)+fmt.Sprintf("?size=%d", len(blob)), nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("fetch: %s %s", resp.Status, body)
	}
	a.mend(d, blob) // again is the same
	a.refuse(404, "does not have it", "POST", api.PathBlobFetch(api.Sum([]byte("nowhere"))), nil)
	a.measures("blobs 1", fmt.Sprint("chunk_bytes ", float64(len(blob))))
}

func TestFetchWithoutMeshd(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	n.bus.mu.Lock()
	n.bus.err = errors.New("nobody answers")
	n.bus.mu.Unlock()
	n.refuse(502, "ask the mesh", "POST", api.PathBlobFetch(api.Sum(nil)), nil)
	n.put(noise(6, 100)) // the rest goes on
}

// An upload that ends early keeps nothing.
func TestSenderGoesAway(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	for _, after := range []int{0, 100, mib, 2*mib + 5} {
		ctx, cancel := context.WithCancel(t.Context())
		body := io.MultiReader(bytes.NewReader(noise(7, after)), readerFunc(func([]byte) (int, error) { cancel(); return 0, errors.New("gone") }))
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, n.url+"/blobs", body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 3 * mib
		if resp, err := n.client.Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("a cut upload: %s", resp.Status)
		}
		cancel()
	}
	n.until("all four have ended", func() bool { return n.puts() == 4 })
	n.until("what was staged is gone", func() bool { return len(n.tree()) == 0 })
	n.measures("blobs 0", "chunks 0")
}

// puts is how many puts have ended.
func (n *node) puts() (sum int) {
	_, b := n.do(http.MethodGet, "/metrics", nil)
	for _, m := range regexp.MustCompile(`(?m)^realm_casd_puts_total{.*} (\d+)$`).FindAllSubmatch(b, -1) {
		ended, err := strconv.Atoi(string(m[1]))
		if err != nil {
			n.t.Fatal(err)
		}
		sum += ended
	}
	return sum
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (n *node) until(what string, ok func() bool) {
	n.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// A sender or receiver that stops moving is cut off.
func TestIdleConnections(t *testing.T) {
	n := start(t, t.TempDir(), func(c *Config) { c.Idle = 200 * time.Millisecond })
	blob := noise(8, 16*mib)
	d := api.Sum(blob)
	// Not over the socket, on which this sender may be slow, too.
	if _, err := n.daemon.store.Put(t.Context(), bytes.NewReader(blob), int64(len(blob)), d); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(n.home.Token())
	if err != nil {
		t.Fatal(err)
	}
	dial := func(request string) net.Conn {
		conn, err := net.Dial("unix", n.home.Socket(api.Casd))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: casd\r\n%s: %s\r\n", request, local.HeaderToken, token); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	sender := dial("PUT /blobs")
	if _, err := fmt.Fprintf(sender, "Content-Length: 100\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(sender)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) {
		t.Errorf("a sender that pauses: %v, %s", err, answer)
	}

	for _, path := range []string{api.PathChunks, "/storage/gc"} {
		asker := dial("POST " + path)
		if _, err := fmt.Fprintf(asker, "Content-Length: 100\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(asker); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) {
			t.Errorf("somebody who asks %s half a question: %v, %s", path, err, answer)
		}
	}

	receiver := dial("GET " + api.PathBlob(d))
	if _, err := fmt.Fprint(receiver, "\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // it takes nothing; long enough for casd to have its turn on a busy machine
	got, err := io.ReadAll(receiver)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("the receiver's end: %v", err)
	}
	if len(got) == 0 || len(got) >= len(blob) {
		t.Errorf("a receiver that pauses got %d bytes of %d", len(got), len(blob))
	}
}

// A blob far larger than the memory that its transfer takes.
func TestConstantMemory(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	const size = 128 * mib
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	seed := noise(9, mib)
	sent := 0
	body := io.LimitReader(readerFunc(func(p []byte) (int, error) {
		k := copy(p, seed[sent%mib:])
		p[0] = byte(sent >> 20)
		sent += k
		return k, nil
	}), size)
	resp, answer := n.do(http.MethodPut, "/blobs", body)
	var info api.BlobInfo
	if err := api.Decode(answer, 1<<10, &info); err != nil || info.Size != size {
		t.Fatalf("put: %s %s", resp.Status, answer)
	}
	got, err := n.client.Get(n.url + api.PathBlob(info.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if k, err := io.Copy(io.Discard, got.Body); err != nil || k != size {
		t.Fatalf("get: %d bytes, %v", k, err)
	}
	close(stop)
	<-watched
	if used := most.Load() - min(before.HeapInuse, most.Load()); used > 32*mib {
		t.Errorf("%d MiB of heap for a blob of %d MiB", used>>20, size>>20)
	}
}

func TestRunAgain(t *testing.T) {
	dir := t.TempDir()
	blob := noise(10, mib+1)
	var d api.Digest
	t.Run("first", func(t *testing.T) { d = start(t, dir, nil).put(blob) })
	n := start(t, dir, nil)
	if resp, got := n.do(http.MethodGet, api.PathBlob(d), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, blob) {
		t.Errorf("%s, %d bytes", resp.Status, len(got))
	}
	n.until("it is announced", func() bool { return slices.Contains(n.bus.all(), d) })
}

func TestRunFailsWithoutItsFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := build(parts{cfg: DefaultConfig(), dir: filepath.Join(file, "casd"), bus: &fakeBus{}, client: http.DefaultClient,
		mux: http.NewServeMux(), metrics: prometheus.NewRegistry(), log: slog.New(slog.DiscardHandler)})
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "recover blobs") {
		t.Errorf("run: %v", err)
	}
}
