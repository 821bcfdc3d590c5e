package oci

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// elsewhere is a client to whom example.com is what listens at addr.
func elsewhere(t *testing.T, srv *httptest.Server) *http.Client {
	transport := &http.Transport{}
	if own, ok := srv.Client().Transport.(*http.Transport); ok && own.TLSClientConfig != nil {
		transport.TLSClientConfig = own.TLSClientConfig.Clone()
	}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A registry of another machine is read by https, with tokens where it gives some, and
// leads to no plain http, not even for them.
func TestHTTPS(t *testing.T) {
	s := newStand(t, nil)
	s.push("1.0", s.blob(TypeWasm, wasm))
	realm := "https://example.com/token"
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && (user != "ann" || password != "open sesame" || r.FormValue("scope") != "repository:acme/web:pull"):
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"token": "for a while"}`)
		case r.Header.Get("Authorization") != "Bearer for a while":
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="acme",scope="repository:acme/web:pull"`, realm))
			w.WriteHeader(http.StatusUnauthorized)
		default:
			resp, err := http.Get("http://" + s.host + r.URL.Path)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			for k := range resp.Header {
				w.Header().Set(k, resp.Header.Get(k))
			}
			w.WriteHeader(resp.StatusCode)
			_, _ = io.Copy(w, resp.Body)
		}
	}))
	defer srv.Close()
	ref, err := Parse("oci://example.com/acme/web:1.0")
	if err != nil {
		t.Fatal(err)
	}
	client := elsewhere(t, srv)
	fetch := func() (Artifact, error) { return Fetch(t.Context(), client, ref, s.in, t.Logf) }
	if _, err := fetch(); err == nil || !strings.Contains(err.Error(), "docker login example.com") {
		t.Errorf("without a login: %v", err)
	}
	auth := base64.StdEncoding.EncodeToString([]byte("ann:open sesame"))
	config := fmt.Sprintf(`{"auths": {"example.com": {"auth": %q}}}`, auth)
	if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := fetch(); err != nil || a.Size != int64(len(wasm)) || a.Ref.String()[:len("oci://example.com/acme/web@sha256:")] != "oci://example.com/acme/web@sha256:" {
		t.Errorf("%+v, %v", a, err)
	}
	realm = "http://example.com/token"
	if _, err := fetch(); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("a password went over plain http: %v", err)
	}
}

// What has no https is said, and not asked without.
func TestPlain(t *testing.T) {
	s := newStand(t, nil)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	defer srv.Close()
	ref, err := Parse("oci://example.com/acme/web:1.0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(t.Context(), elsewhere(t, srv), ref, s.in, t.Logf); err == nil || !strings.Contains(err.Error(), "plain http alone") {
		t.Errorf("got %v", err)
	}
}
