package server_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/gatewayd/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves on loopback until the test ends, and returns the address.
func serve(t testing.TB, cfg server.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Name, cfg.Log = "test", slog.New(slog.DiscardHandler)
	if cfg.Metrics == nil {
		cfg.Metrics = server.NewMetrics(prometheus.NewRegistry())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.New(cfg).Serve(ctx, ln, 0) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// tell answers with what it got.
func tell(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %q tls=%t", r.Proto, r.URL, b, r.TLS != nil)
}

// selfSigned is a certificate for 127.0.0.1 and who trusts it.
func selfSigned(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestProtocols speaks all four.
func TestProtocols(t *testing.T) {
	cert, roots := selfSigned(t)
	plain := serve(t, server.Config{Handler: http.HandlerFunc(tell)})
	secret := serve(t, server.Config{Handler: http.HandlerFunc(tell), TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	for _, c := range []struct {
		url   string
		set   func(*http.Protocols)
		proto string
	}{
		{"http://" + plain, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1"},
		{"http://" + plain, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, "HTTP/2.0"},
		{"https://" + secret, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1"},
		{"https://" + secret, func(p *http.Protocols) { p.SetHTTP2(true) }, "HTTP/2.0"},
	} {
		tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots}}
		c.set(tr.Protocols)
		client := &http.Client{Transport: tr}
		for range 3 { // on one connection
			resp, err := client.Post(c.url+"/x", "", strings.NewReader("body"))
			if err != nil {
				t.Fatalf("%s over %s: %v", c.proto, c.url, err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			want := fmt.Sprintf("%s /x %q tls=%t", c.proto, "body", strings.HasPrefix(c.url, "https"))
			if err != nil || string(b) != want {
				t.Errorf("%s over %s: %q, %v; want %q", c.proto, c.url, b, err, want)
			}
		}
		client.CloseIdleConnections()
	}
	if got := raw(t, secret, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.Contains(got, "HTTPS") {
		t.Errorf("HTTP to the port of HTTPS: %q", got)
	}
}

// raw sends bytes and returns all that comes until the server ends the connection.
func raw(t testing.TB, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return exchange(c, text)
}

func exchange(c net.Conn, text string) string {
	_, _ = io.WriteString(c, text) // a refusal may come before it has been taken
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, _ := io.ReadAll(c) // as far as it comes
	return string(b)
}

// TestFraming sends, as they are, requests whose end is not told clearly; each stands before
// one that a stranger would have the next client send.
func TestFraming(t *testing.T) {
	cert, roots := selfSigned(t)
	plain := serve(t, server.Config{Handler: http.HandlerFunc(tell)})
	secret := serve(t, server.Config{Handler: http.HandlerFunc(tell), TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	const post, next = "POST /first HTTP/1.1\r\nHost: a\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for _, c := range []struct {
		name, text string
		status     int // of the only answer; 0: both are right; -1: the connection just ends
	}{
		{"a length", post + "Content-Length: 4\r\n\r\nabcd" + next, 0},
		{"chunks", post + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n" + next, 0},
		{"trailers", post + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\nX: y\r\n\r\n" + next, 0},
		{"no body", "GET /first HTTP/1.1\r\nHost: a\r\n\r\n" + next, 0},
		{"a body that GET has", "GET /first HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd" + next, 0},

		{"both", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, 400},
		{"both, the other way", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + next, 400},
		{"two lengths", post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde" + next, 400},
		{"one length twice", post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd" + next, 400},
		{"a list of lengths", post + "Content-Length: 4, 4\r\n\r\nabcd" + next, 400},
		{"signed length", post + "Content-Length: +4\r\n\r\nabcd" + next, 400},
		{"minus nought", post + "Content-Length: -0\r\n\r\n" + next, 400},
		{"empty length", post + "Content-Length:\r\n\r\n" + next, 400},
		{"hex length", post + "Content-Length: 0x4\r\n\r\nabcd" + next, 400},
		{"length with a blank within", post + "Content-Length: 4 4\r\n\r\nabcd" + next, 400},
		{"length before a colon with a blank", post + "Content-Length : 4\r\n\r\nabcd" + next, 400},
		{"length taken away", post + "Connection: Content-Length\r\nContent-Length: 4\r\n\r\nabcd" + next, 400},
		{"other coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + next, 501},
		{"coding of old", post + "Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nabcd" + next, 501},
		{"chunked, then other", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + next, 501},
		{"other, then chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + next, 501},
		{"chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, 400},
		{"chunked in quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + next, 501},
		{"control before chunked", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + next, 400},
		{"blank before the colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + next, 400},
		{"folded coding", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + next, 501},
		{"folded field", post + "X: y\r\n Content-Length: 35\r\n\r\n" + next, 400},
		{"folded at once", "POST /first HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n" + next, 400},
		{"chunked in 1.0", "POST /first HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, 400},
		{"both in 1.0", "POST /first HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + next, 400},
		{"LF", "GET /first HTTP/1.1\nHost: a\n\n" + next, 400},
		{"LF after a field", post + "X: y\nContent-Length: 35\r\n\r\n" + next, 400},
		{"LF as the empty line", post + "X: y\r\n\n" + next, 400},
		{"CR within", post + "X: y\rContent-Length: 35\r\n\r\n" + next, 400},
		{"NUL within", post + "X: y\x00z\r\n\r\n" + next, 400},
		{"no name", post + ": y\r\n\r\n" + next, 400},
		{"no colon", post + "Content-Length\r\n\r\n" + next, 400},
		{"no Host", "GET /first HTTP/1.1\r\n\r\n" + next, 400},
		{"two Hosts", "GET /first HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + next, 400},
		{"1.2", "GET /first HTTP/1.2\r\nHost: a\r\n\r\n" + next, 505},
		{"2.0", "GET /first HTTP/2.0\r\nHost: a\r\n\r\n" + next, 505},
		{"0.9", "GET /first\r\n\r\n" + next, 400},
		{"lower case version", "GET /first http/1.1\r\nHost: a\r\n\r\n" + next, 400},
		{"tab after the method", "GET\t/first HTTP/1.1\r\nHost: a\r\n\r\n" + next, 400},
		{"blank in the target", "GET /fi rst HTTP/1.1\r\nHost: a\r\n\r\n" + next, 400},
		{"empty line before", "\r\nGET /first HTTP/1.1\r\nHost: a\r\n\r\n" + next, 400},

		{"LF after a size", post + "Transfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n" + next, -1},
		{"LF in an extension", post + "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\nab\r\n0\r\n\r\n" + next, -1},
		{"0x", post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n" + next, -1},
		{"signed size", post + "Transfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n" + next, -1},
		{"huge size", post + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nab\r\n0\r\n\r\n" + next, -1},
		{"a chunk longer than said", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n" + next, -1},
		{"length in a trailer", post + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 35\r\n\r\n" + next, -1},
		{"LF in a trailer", post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n" + next, -1},
	} {
		for _, over := range []string{"TCP", "TLS"} {
			var got string
			if over == "TCP" {
				got = raw(t, plain, c.text)
			} else {
				tc, err := tls.Dial("tcp", secret, &tls.Config{RootCAs: roots})
				if err != nil {
					t.Fatal(err)
				}
				got = exchange(tc, c.text)
				tc.Close()
			}
			answers := strings.Count(got, "HTTP/1.1 ") - strings.Count(got, `"HTTP/1.1 `)
			switch {
			case c.status == 0 && (strings.Count(got, "HTTP/1.1 200") != 2 || !strings.Contains(got, "/smuggled")):
				t.Errorf("%s over %s: want two answers:\n%s", c.name, over, got)
			case c.status == 0:
			case strings.Contains(got, "200 OK") || strings.Contains(got, "/smuggled"):
				t.Errorf("%s over %s: something was answered:\n%s", c.name, over, got)
			case c.status > 0 && (answers < 1 || !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", c.status))):
				t.Errorf("%s over %s: want status %d alone:\n%s", c.name, over, c.status, got)
			}
		}
	}
}

// TestRefusedAfterAnAnswer has a request refused while the one before it is being worked on:
// that one is answered first.
func TestRefusedAfterAnAnswer(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	addr := serve(t, server.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-end
		if r.Context().Err() != nil {
			t.Error("the client seemed to have left")
		}
		fmt.Fprint(w, "right")
	})})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	fmt.Fprint(c, "GET / HTTP/1.1\nHost: a\n\n")
	time.Sleep(50 * time.Millisecond) // it arrives
	close(end)
	br := bufio.NewReader(c)
	for _, want := range []int{http.StatusOK, http.StatusBadRequest} {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%d %q, %v; want %d", resp.StatusCode, b, err, want)
		}
	}
}

// TestUpgraded speaks on a connection that a handler has taken over what is no HTTP.
func TestUpgraded(t *testing.T) {
	addr := serve(t, server.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		_, _ = io.CopyN(c, rw, 8)
	})})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	br := bufio.NewReader(c)
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	const noHTTP = "\n\n\x00\xff\r\n \n"
	fmt.Fprint(c, noHTTP)
	b := make([]byte, len(noHTTP))
	if _, err := io.ReadFull(br, b); err != nil || string(b) != noHTTP {
		t.Errorf("%q, %v", b, err)
	}
}
