package public

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

const testStall = 150 * time.Millisecond

// guarded serves h behind a guard and opens a connection to it.
func guarded(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	return paced(t, pace{testStall, time.Minute, MinRate}, h)
}

// paced is guarded with another pace.
func paced(t *testing.T, p pace, h http.HandlerFunc) net.Conn {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := guard(w, r, p)
		defer c.end()
		h(c, r)
	}))
	t.Cleanup(srv.Close)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const postHead = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"

func TestUploadThatStalls(t *testing.T) {
	got := make(chan error, 1)
	conn := guarded(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		got <- err
	})
	fmt.Fprint(conn, postHead+"abc")
	if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}

// TestUploadInPieces takes longer than a stall, but never stalls.
func TestUploadInPieces(t *testing.T) {
	conn := guarded(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	fmt.Fprint(conn, postHead)
	for range 10 {
		time.Sleep(testStall / 3)
		fmt.Fprint(conn, "x")
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "xxxxxxxxxx" {
		t.Errorf("%q %v", b, err)
	}
}

// TestUploadThatDrips never stalls, but is too slow on average; once the program has begun
// to answer it may be.
func TestUploadThatDrips(t *testing.T) {
	for _, answers := range []bool{false, true} {
		got := make(chan error, 1)
		conn := paced(t, pace{time.Minute, testStall, MinRate}, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			if answers {
				_ = http.NewResponseController(w).Flush()
			}
			_, err := io.ReadAll(r.Body)
			got <- err
		})
		fmt.Fprint(conn, postHead)
		for range 10 {
			time.Sleep(testStall / 5)
			fmt.Fprint(conn, "x") // it may be cut already
		}
		if err := <-got; errors.Is(err, os.ErrDeadlineExceeded) == answers {
			t.Errorf("the program answers: %t; read: %v", answers, err)
		}
	}
}

// TestAnswerFreesTheBody begins to answer while a read waits that would be cut soon.
func TestAnswerFreesTheBody(t *testing.T) {
	got, reads := make(chan error, 1), make(chan struct{})
	conn := paced(t, pace{time.Minute, testStall, MinRate}, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		go func() {
			close(reads)
			_, err := io.ReadAll(r.Body)
			got <- err
		}()
		<-reads
		time.Sleep(testStall / 3)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	fmt.Fprint(conn, postHead)
	time.Sleep(2 * testStall)
	fmt.Fprint(conn, "0123456789")
	if err := <-got; err != nil {
		t.Errorf("read: %v", err)
	}
}

// TestProgramThatThinks is silent before, within and after its answer, on one
// connection, twice.
func TestProgramThatThinks(t *testing.T) {
	conn := guarded(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		time.Sleep(2 * testStall)
		if r.Context().Err() != nil {
			t.Error("the client is said to have gone")
		}
		fmt.Fprint(w, "one ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(2 * testStall)
		fmt.Fprint(w, "two")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(2 * testStall)
	})
	in := bufio.NewReader(conn)
	for range 2 {
		fmt.Fprint(conn, postHead+"0123456789")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != "one two" {
			t.Fatalf("%q %v", b, err)
		}
	}
}

func TestDownloadThatStalls(t *testing.T) {
	got := make(chan error, 1)
	conn := guarded(t, func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.Copy(struct{ io.Writer }{w}, io.LimitReader(zeros{}, 1<<30))
		got <- err
	})
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-got:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a client that reads nothing holds its program for ever")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestStatusIsNoted(t *testing.T) {
	for want, h := range map[int]http.HandlerFunc{
		200: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") },
		201: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
		},
		0: func(http.ResponseWriter, *http.Request) {},
	} {
		c := guard(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", strings.NewReader("")), pace{testStall, time.Minute, 1})
		h(c, nil)
		if c.status != want {
			t.Errorf("status %d, want %d", c.status, want)
		}
	}
}

// TestUploadsOverHTTP2 that stall, or drip, are cut as those over HTTP/1.1 are, and others on
// the connection are not.
func TestUploadsOverHTTP2(t *testing.T) {
	got := make(chan error, 2)
	var p pace
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := guard(w, r, p)
		defer c.end()
		if _, err := io.ReadAll(r.Body); r.Method == http.MethodPost {
			got <- err
		}
	}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	defer srv.Close()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: tr}
	defer client.CloseIdleConnections()
	for _, p = range []pace{{testStall, time.Minute, 1}, {time.Minute, testStall, MinRate}} {
		r, w := io.Pipe()
		go func() {
			resp, err := client.Post(srv.URL, "", r)
			if err == nil {
				resp.Body.Close()
			}
		}()
		fmt.Fprint(w, "x")
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%+v: read: %v", p, err)
		}
		w.Close()
		resp, err := client.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}
