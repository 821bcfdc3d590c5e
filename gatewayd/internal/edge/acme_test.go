package edge

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
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
	"testing"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"github.com/realm-mesh/realm/api"
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

// TestACME has an authority issue what the first client asks for, and nothing for hosts
// that no public route names.
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
