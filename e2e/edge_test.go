//go:build unix

package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// TestEdge serves what is public on the one of two nodes that has the role, from the other.
func TestEdge(t *testing.T) {
	t.Parallel()
	plain, secure := freePort(t), freePort(t)
	cert, key := selfSigned(t, "shop.example.org")
	first := newNode(t, "node 1", "")
	do(t, first, "init")
	start(t, first, "--mdns=false")
	addr, err := first.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	second := newNode(t, "edge", first.OwnerKey)
	start(t, second, "--mdns=false", "--bootstrap", addr, "--edge-listen", plain, "--edge-tls-listen", secure, "--edge-cert", cert, "--edge-key", key)
	waitPeers(t, first, 1)
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // its own certificate
	ask := func(ctx context.Context, url, host string) (int, string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, "", err
		}
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	is := func(url, host string, status int, text string) {
		t.Helper()
		until(t, fmt.Sprintf("%s of %s: %d %s", url, host, status, text), func(ctx context.Context) error {
			got, body, err := ask(ctx, url, host)
			if err == nil && (got != status || !strings.Contains(body, text)) {
				err = fmt.Errorf("%d %s", got, body)
			}
			return err
		})
	}
	do(t, first, "push", "--name", "secret", "--peer", peerOf(t, first), "--file", sample("hello-http"))
	if _, err := net.Dial("tcp", secure); err == nil {
		t.Error("it is open, and nothing is public")
	}
	do(t, first, "push", "--name", "shop", "--peer", peerOf(t, first), "--visibility", "public", "--route", "shop.example.org/buy", "--file", sample("hello-http"))
	if _, err := net.Dial("tcp", secure); err == nil {
		t.Error("it is open, and the node is no edge")
	}
	do(t, first, "node", "set", peerOf(t, second), "--role", "edge")
	is("https://"+secure+"/buy/x?y=1", "shop.example.org", 200, "path: /x?y=1")
	is("https://"+secure+"/shop/x", "other.example.org", 200, "path: /x")
	_, unknown, _ := ask(testContext(t), "https://"+secure+"/never/", "other.example.org")
	is("https://"+secure+"/secret/", "other.example.org", 404, unknown)
	is("http://"+plain+"/buy/", "shop.example.org", http.StatusPermanentRedirect, "")
	if out := do(t, first, "explain", "shop"); !strings.Contains(out, "shop.example.org/buy/ and /shop/") {
		t.Error(out)
	}
	// Of two with one route, the first by name has it; the other is under its name.
	do(t, first, "push", "--name", "store", "--http", "cgi", "--peer", peerOf(t, first), "--visibility", "public", "--route", "shop.example.org/buy", "--file", sample("hello-cgi"))
	is("https://"+secure+"/store/", "other.example.org", 200, "Hello from /store")
	is("https://"+secure+"/buy/x", "shop.example.org", 200, "path: /x")
	if out := do(t, first, "explain", "store"); !strings.Contains(out, "component/shop") || !strings.Contains(out, "realm push --name store --route") {
		t.Error(out)
	}
	do(t, first, "rm", "shop")
	is("https://"+secure+"/buy/", "shop.example.org", 200, "Hello from /buy")
	do(t, first, "rm", "store")
	until(t, "the edge is closed", func(ctx context.Context) error {
		if _, _, err := ask(ctx, "https://"+secure+"/never/", ""); err == nil {
			return errors.New("it answers")
		}
		return nil
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := node.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// selfSigned are files of a certificate and its key.
func selfSigned(t *testing.T, name string) (cert, secret string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	dir := t.TempDir()
	cert, secret = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(err, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(secret, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cert, secret
}
