package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// issue writes a certificate for name, signed by itself, and its key.
func issue(t *testing.T, p Pair, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(err, os.WriteFile(p.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600), os.WriteFile(p.Cert, cert, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	p := Pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	first := issue(t, p, "shop.example.org")
	w := newWorld(t, &Files{Pairs: []Pair{p}, Log: slog.New(slog.DiscardHandler)}, http.HandlerFunc(echo), "shop")
	w.want("shop", web(&api.Route{Host: "shop.example.org"}))
	w.isOpen()
	for _, h2 := range []bool{false, true} {
		c := w.client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: first}, ForceAttemptHTTP2: h2})
		got := w.ask(c, http.MethodGet, "https://shop.example.org/x", nil)
		if got.status != http.StatusOK || !strings.Contains(got.body, "proto=https") || got.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("HTTP/2 %v: %+v", h2, got)
		}
	}
	plain := w.client(&http.Transport{})
	got := w.ask(plain, http.MethodPost, "http://shop.example.org/a?b=c", nil)
	if port := w.https[strings.LastIndex(w.https, ":"):]; got.status != http.StatusPermanentRedirect || got.header.Get("Location") != "https://shop.example.org"+port+"/a?b=c" {
		t.Errorf("by HTTP: %+v", got)
	}
	second := issue(t, p, "shop.example.org")
	time.Sleep(lookEvery) // it looks no sooner
	c := w.client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: second}})
	if got := w.ask(c, http.MethodGet, "https://shop.example.org/x", nil); got.status != http.StatusOK {
		t.Errorf("after it was replaced: %+v", got)
	}
	if err := os.WriteFile(p.Cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lookEvery)
	c = w.client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: second}})
	if got := w.ask(c, http.MethodGet, "https://shop.example.org/x", nil); got.status != http.StatusOK {
		t.Errorf("after it was spoilt: %+v", got)
	}
}
