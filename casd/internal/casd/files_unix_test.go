//go:build unix

package casd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// withFile sends a request with a file, and returns the last line of the answer. A
// refusal is a [*local.StatusError].
func (n *node) withFile(ctx context.Context, route string, req any, f *os.File) (last api.FileProgress, err error) {
	n.t.Helper()
	body, err := json.Marshal(req)
	if err != nil {
		n.t.Fatal(err)
	}
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequestWithContext(local.WithFile(ctx, f), method, n.url+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	resp, err := n.client.Do(r)
	if err != nil {
		return last, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return last, err
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		last = api.FileProgress{}
		if err := api.Decode(lines.Bytes(), api.MaxMessage, &last); err != nil {
			n.t.Error(err)
		}
	}
	if last.Error != "" {
		err = &local.StatusError{Status: last.Status, ErrorReply: api.ErrorReply{Error: last.Error}}
	}
	return last, errors.Join(err, lines.Err())
}

func (n *node) importFile(f *os.File, size int64) (api.FileProgress, error) {
	n.t.Helper()
	return n.withFile(n.t.Context(), api.RouteImport, api.ImportRequest{Size: size}, f)
}

func (n *node) exportTo(f *os.File, d api.Digest, at int64) (api.FileProgress, error) {
	n.t.Helper()
	return n.withFile(n.t.Context(), api.RouteExport, api.ExportRequest{Blob: d, At: at}, f)
}

// counted reports whether GET /metrics has this line.
func (n *node) counted(line string) bool {
	_, b := n.do(http.MethodGet, "/metrics", nil)
	return strings.Contains(string(b), "\nrealm_casd_"+line+"\n")
}

// openFile opens a file until the test ends.
func openFile(t *testing.T, path string, flag int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// fileOf makes a file of these bytes.
func fileOf(t *testing.T, b []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func position(t *testing.T, f *os.File) int64 {
	t.Helper()
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestFilesInAndOut(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(1, 9*mib+7)
	d, path := api.Sum(blob), fileOf(t, blob)
	in := openFile(t, path, os.O_RDONLY)
	if _, err := in.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // what is open counts, not where it lies
		t.Fatal(err)
	}
	want := api.FileProgress{Done: int64(len(blob)), End: true, Blob: api.BlobInfo{SHA256: d, Size: int64(len(blob))}}
	again := want
	want.New = want.Done
	for _, want := range []api.FileProgress{want, again} {
		if got, err := n.importFile(in, int64(len(blob))); err != nil || got != want {
			t.Errorf("import: %+v, %v; want %+v", got, err, want)
		}
	}
	if at := position(t, in); at != 3 {
		t.Errorf("the caller's file stands at %d", at)
	}
	if resp, got := n.do(http.MethodGet, api.PathBlob(d), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, blob) {
		t.Errorf("get: %s, %d bytes", resp.Status, len(got))
	}

	const before, after = "before", "after what was there"
	path = fileOf(t, slices.Concat([]byte(before), make([]byte, len(blob)), []byte(after)))
	out := openFile(t, path, os.O_RDWR)
	if got, err := n.exportTo(out, d, int64(len(before))); err != nil || got != again {
		t.Errorf("export: %+v, %v; want %+v", got, err, again)
	}
	if at := position(t, out); at != 0 {
		t.Errorf("the caller's file stands at %d", at)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, slices.Concat([]byte(before), blob, []byte(after))) {
		t.Errorf("the file has %d bytes, %v", len(got), err)
	}
	n.measures(`puts_total{result="ok"} 2`, `gets_total{result="ok"} 2`)

	if got, err := n.importFile(in, 100); err != nil || got.Blob.SHA256 != api.Sum(blob[:100]) {
		t.Errorf("the first bytes of it: %+v, %v", got, err)
	}
}

// casd does with a file what its caller can, and where that is not enough, nothing.
func TestFilesThatCannotBeUsed(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(2, mib)
	d, path, none := n.put(blob), fileOf(t, blob), api.Sum([]byte("not here"))
	size := int64(len(blob))
	here := n.tree()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	rdonly, wronly, rdwr := openFile(t, path, os.O_RDONLY), openFile(t, path, os.O_WRONLY), openFile(t, path, os.O_RDWR)
	adding := openFile(t, path, os.O_WRONLY|os.O_APPEND)
	null, folder := openFile(t, os.DevNull, os.O_RDWR), openFile(t, t.TempDir(), os.O_RDONLY)
	for _, c := range []struct {
		what   string
		route  string
		req    any
		file   *os.File
		status int
		text   string
	}{
		{"import: a pipe", api.RouteImport, api.ImportRequest{Size: size}, reader, 412, "no regular file"},
		{"import: a device", api.RouteImport, api.ImportRequest{Size: size}, null, 412, "no regular file"},
		{"import: a folder", api.RouteImport, api.ImportRequest{Size: size}, folder, 412, "no regular file"},
		{"import: one to write to", api.RouteImport, api.ImportRequest{Size: size}, wronly, 412, "something else"},
		{"import: more than there is", api.RouteImport, api.ImportRequest{Size: size + 1}, rdonly, 412, "got shorter"},
		{"import: too large", api.RouteImport, api.ImportRequest{Size: api.MaxBlob + 1}, rdonly, 400, "want a size"},
		{"export: a pipe", api.RouteExport, api.ExportRequest{Blob: d}, writer, 412, "no regular file"},
		{"export: a device", api.RouteExport, api.ExportRequest{Blob: d}, null, 412, "no regular file"},
		{"export: one to read", api.RouteExport, api.ExportRequest{Blob: d}, rdonly, 412, "something else"},
		{"export: one to append to", api.RouteExport, api.ExportRequest{Blob: d}, adding, 412, "for appending"},
		{"export: no such blob", api.RouteExport, api.ExportRequest{Blob: none}, rdwr, 404, "POST /blobs/"},
		{"export: before the start", api.RouteExport, api.ExportRequest{Blob: d, At: -1}, rdwr, 400, "out of range"},
	} {
		var status *local.StatusError
		_, err := n.withFile(t.Context(), c.route, c.req, c.file)
		if !errors.As(err, &status) || status.Status != c.status || !strings.Contains(status.Error(), c.text) {
			t.Errorf("%s: %v; want %d with %q", c.what, err, c.status, c.text)
		}
	}
	n.refuse(412, "none came with the request", "POST", "/files/import", strings.NewReader(`{"size":1}`))
	n.refuse(412, "none came with the request", "POST", "/files/export", strings.NewReader(`{"blob":"`+d.String()+`"}`))
	n.refuse(400, "unknown field", "POST", "/files/import", strings.NewReader(`{"size":1,"path":"/etc/passwd"}`))
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, blob) {
		t.Errorf("a file was written to: %d bytes, %v", len(got), err)
	}
	if now := n.tree(); !slices.Equal(here, now) {
		t.Errorf("files %v, before %v", now, here)
	}
}

// A blob is what was read: its bytes are those that its name and its chunks' say, whatever
// somebody does to the file meanwhile.
func TestFileChangesWhileItIsStored(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	size := 48 * mib
	path := fileOf(t, make([]byte, size))
	in, w := openFile(t, path, os.O_RDONLY), openFile(t, path, os.O_WRONLY)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		b := noise(3, 64<<10)
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			b[0] = byte(i)
			if _, err := w.WriteAt(b, int64(i*31%(size/len(b))*len(b))); err != nil {
				stopped <- err
				return
			}
		}
	}()
	got, err := n.importFile(in, int64(size))
	close(stop)
	if err := errors.Join(err, <-stopped); err != nil {
		t.Fatal(err)
	}
	resp, b := n.do(http.MethodGet, api.PathBlob(got.Blob.SHA256), nil)
	if resp.StatusCode != http.StatusOK || api.Sum(b) != got.Blob.SHA256 || len(b) != size {
		t.Errorf("%s: %d bytes of %s, want %d of %s", resp.Status, len(b), api.Sum(b), size, got.Blob.SHA256)
	}
	n.measures("corrupt_chunks_total 0")
}

// Damage is met before its bytes are in the file, which has what comes before it, and the
// caller is told.
func TestDamageWhileAFileIsWritten(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(4, 8*mib)
	d := n.put(blob)
	n.spoil(d)
	path := fileOf(t, nil)
	got, err := n.exportTo(openFile(t, path, os.O_WRONLY), d, 0)
	var status *local.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusInternalServerError || !strings.Contains(status.Error(), "brings sound bytes") {
		t.Errorf("%+v, %v", got, err)
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) == len(blob) || !bytes.HasPrefix(blob, b) {
		t.Errorf("%d bytes are in the file, %v", len(b), err)
	}
	if _, err := n.exportTo(openFile(t, path, os.O_WRONLY), d, 0); !errors.As(err, &status) || status.Status != http.StatusNotFound {
		t.Errorf("once more: %v", err)
	}
}

// A caller that goes away ends the work, and nothing is kept of a blob that is not whole.
func TestCallerGoesAway(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(5, 64*mib)
	d, here := n.put(blob), n.tree()

	in := openFile(t, fileOf(t, nil), os.O_RDWR)
	size := int64(8 << 30) // of nothing, which takes no room, but time
	if err := in.Truncate(size); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := n.withFile(ctx, api.RouteImport, api.ImportRequest{Size: size}, in)
		ended <- err
	}()
	n.until("it has begun", func() bool { return len(n.tree()) > len(here) })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("import: %v", err)
	}
	n.until("the import has ended", func() bool { return n.counted(`puts_total{result="gone"} 1`) })
	if now := n.tree(); !slices.Equal(here, now) {
		t.Errorf("files %v, before %v", now, here)
	}

	path := fileOf(t, nil)
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		_, err := n.withFile(ctx, api.RouteExport, api.ExportRequest{Blob: d}, openFile(t, path, os.O_WRONLY))
		ended <- err
	}()
	n.until("some is written", func() bool { fi, err := os.Stat(path); return err == nil && fi.Size() > 0 })
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) { // it may just have been done
		t.Errorf("export: %v", err)
	}
	n.until("the export has ended", func() bool {
		return n.counted(`gets_total{result="gone"} 1`) || n.counted(`gets_total{result="ok"} 1`)
	})
	if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(blob, b) {
		t.Errorf("%d bytes are in the file, and not those of the blob: %v", len(b), err)
	}
}
