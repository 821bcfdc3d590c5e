//go:build unix

package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// serveFiles answers as casd of h, which receives files.
func serveFiles(t *testing.T, h paths.Home, handler http.HandlerFunc) {
	t.Helper()
	ln, err := Listen(h, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), h, ReceiveFiles(ln), handler, time.Second) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// tell answers with the first bytes of the file that came, or "none".
func tell(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a caller that broke off sees no answer
	f := File(r)
	if f == nil {
		fmt.Fprint(w, "none")
		return
	}
	defer f.Close()
	b := make([]byte, 64)
	n, err := f.ReadAt(b, 0)
	if n == 0 {
		fmt.Fprint(w, err)
		return
	}
	_, _ = w.Write(b[:n])
}

func newFile(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFileGoesWithARequest(t *testing.T) {
	h := newHome(t)
	serveFiles(t, h, tell)
	c := newClient(t, h)
	ask := func(f *os.File, body io.Reader) string {
		t.Helper()
		ctx := t.Context()
		if f != nil {
			ctx = WithFile(ctx, f)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, URL(api.Casd, "/"), body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	f := newFile(t, "what is in it")
	for range 3 {
		if got := ask(f, nil); got != "what is in it" {
			t.Errorf("the daemon reads %q", got)
		}
		if got := ask(nil, nil); got != "none" {
			t.Errorf("a request without a file: %q", got)
		}
	}
	if got := ask(f, bytes.NewReader(make([]byte, 1<<20))); got != "what is in it" {
		t.Errorf("with a large body: %q", got)
	}
	// It has no name by which the daemon could open it, and is still the one that is open
	// here.
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	if got := ask(f, nil); got != "what is in it" {
		t.Errorf("one without a name: %q", got)
	}
	// What the caller cannot do with it, the daemon cannot, whatever it may open itself.
	w, err := os.OpenFile(newFile(t, "secret").Name(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := ask(w, nil); !strings.Contains(got, "bad file descriptor") {
		t.Errorf("one that is open for writing only: %q", got)
	}
}

func TestFileIsNotSentWhenItIsClosed(t *testing.T) {
	h := newHome(t)
	serveFiles(t, h, tell)
	f := newFile(t, "x")
	f.Close()
	req, err := http.NewRequestWithContext(WithFile(t.Context(), f), http.MethodGet, URL(api.Casd, "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := newClient(t, h).Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "send file: ") {
		t.Errorf("a closed file was sent: %v", err)
	}
}

// A daemon that does not receive files answers all the same.
func TestFileForADaemonThatTakesNone(t *testing.T) {
	h := newHome(t)
	serve(t, h, time.Second, tell)
	req, err := http.NewRequestWithContext(WithFile(t.Context(), newFile(t, "x")), http.MethodGet, URL(api.Casd, "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := newClient(t, h).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "none" {
		t.Errorf("%q, %v", b, err)
	}
}

// A connection that receives files is read as others are: to a deadline, and to its end.
func TestReceiverReads(t *testing.T) {
	h := newHome(t)
	ln, err := Listen(h, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := net.Dial("unix", h.Socket(api.Casd))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := ReceiveFiles(ln).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b := make([]byte, 8)
	if err := in.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := in.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at its deadline: %d, %v", n, err)
	}
	if err := in.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n, err := in.Read(nil); n != 0 || err != nil {
		t.Errorf("into nothing: %d, %v", n, err)
	}
	if _, err := out.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if n, err := in.Read(b); err != nil || string(b[:n]) != "text" {
		t.Errorf("%q, %v", b[:n], err)
	}
	out.Close()
	if n, err := in.Read(b); n != 0 || err != io.EOF { //nolint:errorlint // readers compare it
		t.Errorf("at its end: %d, %v", n, err)
	}
	in.Close()
	if n, err := in.Read(b); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %d, %v", n, err)
	}
}

// Files that nobody takes are closed: those of callers without the token, several in one
// message, more than a message has room for, and those that come while others wait.
func TestFilesThatNobodyTakesAreClosed(t *testing.T) {
	h := newHome(t)
	serveFiles(t, h, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	c, err := net.Dial("unix", h.Socket(api.Casd))
	if err != nil {
		t.Fatal(err)
	}
	for _, many := range []int{1, 3, 40} {
		fds := make([]int, many)
		for i := range fds {
			fds[i] = int(writer.Fd())
		}
		if _, _, err := c.(*net.UnixConn).WriteMsgUnix([]byte("GET / HTTP/1.1\r\nHost: casd\r\n\r\n"), syscall.UnixRights(fds...), nil); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(io.LimitReader(c, 12)); err != nil || string(b) != "HTTP/1.1 401" {
			t.Errorf("%d files: %q, %v", many, b, err)
		}
		c.Close()
		if c, err = net.Dial("unix", h.Socket(api.Casd)); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	writer.Close()
	// The pipe has an end once nobody holds its other side.
	if err := reader.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := reader.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("somebody still holds a file: %d, %v", n, err)
	}
}
