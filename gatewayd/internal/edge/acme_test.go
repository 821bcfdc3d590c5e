package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/ingress"
)

// authority runs Pebble, which finds every name at 127.0.0.1 and the ports of w. It
// returns its directory, and the file and pool of what that and its certificates are
// trusted by.
func authority(t *testing.T, http, https string) (directory, root string, issued *x509.CertPool) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := log.New(io.Discard, "", 0)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0") // a port that is free
	if err != nil {
		t.Fatal(err)
	}
	dns := packets.LocalAddr().String()
	packets.Close()
	names, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{dns}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	names.SetDefaultDNSIPv4("127.0.0.1")
	names.SetDefaultDNSIPv6("")
	go names.Run()
	t.Cleanup(names.Shutdown)
	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	checks := va.New(quiet, port(t, http), port(t, https), false, dns, store)
	front := wfe.New(quiet, store, checks, authority, []string{"pebble.example.org"}, false, false, 1, 1)
	srv := httptest.NewTLSServer(front.Handler())
	t.Cleanup(srv.Close)
	root = filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	issued = x509.NewCertPool()
	issued.AppendCertsFromPEM(authority.GetRootCert(0).PEM())
	return srv.URL + wfe.DirectoryPath, root, issued
}

func port(t *testing.T, addr string) int {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOrders begins an order for each host as it comes, once, and ends it when the host goes.
func TestOrders(t *testing.T) {
	var mu sync.Mutex
	under := map[string]int{}
	begun, ended := make(chan string), make(chan string)
	e := New(Config{IsEdge: func() bool { return true }, Log: slog.New(slog.DiscardHandler)}, NewMetrics(prometheus.NewRegistry()))
	hosts := func(all ...string) {
		var c []ingress.Component
		for i, h := range all {
			c = append(c, ingress.Component{Name: api.Name(fmt.Sprint("c", i)), Route: api.Route{Host: h}})
		}
		e.publish(ingress.New(c))
	}
	hosts("a.example.org", "filed.example.org")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&ACME{Log: e.cfg.Log}).order(ctx, e.public, func(h string) bool { return h != "filed.example.org" }, func(ctx context.Context, h string) error {
			mu.Lock()
			under[h]++
			mu.Unlock()
			begun <- h
			<-ctx.Done()
			ended <- h
			return ctx.Err()
		})
	}()
	if h := <-begun; h != "a.example.org" {
		t.Errorf("%s is ordered", h)
	}
	hosts("a.example.org", "b.example.org")
	if h := <-begun; h != "b.example.org" {
		t.Errorf("%s is ordered", h)
	}
	hosts("b.example.org")
	if h := <-ended; h != "a.example.org" {
		t.Errorf("the order of %s ends", h)
	}
	cancel()
	if h := <-ended; h != "b.example.org" {
		t.Errorf("the order of %s ends", h)
	}
	<-done
	if under["a.example.org"] != 1 || under["b.example.org"] != 1 || len(under) != 2 {
		t.Errorf("%v", under)
	}
}

// TestACME has an authority issue what a route names before any client asks for it, and
// nothing for hosts that no public route names.
func TestACME(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	a := &ACME{Dir: dir, Log: slog.New(slog.DiscardHandler), Email: "ops@example.org"}
	w := newWorld(t, a, http.HandlerFunc(echo), "shop", "secret")
	a.HTTP, a.HTTPS = w.http, w.https
	var pool *x509.CertPool
	a.Directory, a.Root, pool = authority(t, w.http, w.https)
	hidden := hidden()
	hidden.Route = &api.Route{Host: "secret.example.org"}
	w.want("secret", hidden)
	w.want("shop", web(&api.Route{Host: "shop.example.org"}))
	w.isOpen()
	for end := time.Now().Add(30 * time.Second); len(issuedFor(t, dir)) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is issued while nobody asks")
		}
	}
	c := w.client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true})
	if got := w.ask(c, http.MethodGet, "https://shop.example.org/x", nil); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	for _, host := range []string{"secret.example.org", "other.example.org"} {
		resp, err := c.Get("https://" + host + "/")
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s has a certificate", host)
		}
	}
	keys := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".key" {
			return err
		}
		keys++
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil || keys == 0 {
		t.Errorf("%d keys, %v", keys, err)
	}
}

// issuedFor lists the certificates in the folder.
func issuedFor(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "certificates", "*", "*", "*.crt"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
