package sources

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/oci"
	"github.com/realm-mesh/realm/realm/internal/pack"
)

// pushTo uploads a layer to the registry at host under tags, and returns its reference.
func pushTo(t *testing.T, host, tag, mediaType string, body []byte) oci.Ref {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(body, types.MediaType(mediaType)))
	if err != nil {
		t.Fatal(err)
	}
	at, err := name.ParseReference(host + "/acme/web:" + tag)
	if err == nil {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		err = remote.Write(at, img, remote.WithTransport(transport))
	}
	if err != nil {
		t.Fatal(err)
	}
	ref, err := oci.Parse(oci.Scheme + host + "/acme/web:" + tag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// packageOf is a package of a program alone.
func packageOf(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.wasm"), wasmtest.Nothing(), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := pack.Create(t.Context(), dir, "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var out bytes.Buffer
	if err := d.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What a registry has takes the way of what an address has.
func TestRegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	program := pushTo(t, host, "1.0", oci.TypeWasm, wasm)
	text := pushTo(t, host, "text", "text/plain", []byte("read me"))
	packed := packageOf(t)
	shop := pushTo(t, host, "package", oci.TypePackage, packed)
	half := pushTo(t, host, "half", oci.TypePackage, packed[:len(packed)/2])
	of := func(ref oci.Ref) manifest.Source {
		return manifest.Source{Kind: manifest.OCI, Text: ref.String(), Ref: ref}
	}
	s := newStand(t)
	p, err := s.one(t, of(program), api.Sum(wasm))
	if err != nil || !p.Here() || p.SHA256 != api.Sum(wasm) || p.Size != 8 || p.Name != "web" || filepath.Dir(p.file) != s.dir {
		t.Fatalf("%+v, %v", p, err)
	}
	if m, err := p.Read(); err != nil || m.Digest != p.SHA256 {
		t.Errorf("read: %v", err)
	}
	if !strings.Contains(strings.Join(s.notes, "\n"), "/acme/web@sha256:") {
		t.Errorf("what it is now is not told: %q", s.notes)
	}
	for want, src := range map[string]manifest.Source{
		"web:text is no WebAssembly": of(text),
		"open package":               of(half),
	} {
		if _, err := s.one(t, src, api.Digest{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if _, err := newStand(t).one(t, of(program), api.Sum(nil)); err == nil || !strings.Contains(err.Error(), "another program than sha256_hex says") {
		t.Errorf("another digest: %v", err)
	}
	if a, err := s.Pull(within(t), text); err != nil || a.Digest != api.Sum([]byte("read me")) {
		t.Errorf("a file: %+v, %v", a, err)
	}
	p, err = s.one(t, of(shop), api.Sum(packed))
	if err != nil || p.Package == nil || p.Package.Name != "shop" || p.SHA256 != api.Sum(wasmtest.Nothing()) {
		t.Errorf("a package: %+v, %v", p, err)
	}
	if _, err := s.GetPackage(t.Context(), program.String()); err == nil || !strings.Contains(err.Error(), "is a program, and no package") {
		t.Errorf("a program as a package: %v", err)
	}
	if _, err := Get(t.Context(), shop.String(), api.Digest{}, t.Logf); err == nil || !strings.Contains(err.Error(), "is a package, and no program by itself") {
		t.Errorf("a package as a program: %v", err)
	}
	// What the node has need not be fetched.
	s = newStand(t)
	s.shelf.here[api.Sum(wasm)] = wasm
	gone, err := oci.Parse("oci://registry.invalid/web:1")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.one(t, of(gone), api.Sum(wasm)); err != nil || p.Here() {
		t.Errorf("%+v, %v", p, err)
	}
	if m, err := Get(t.Context(), program.String(), api.Sum(wasm), t.Logf); err != nil || m.Digest != api.Sum(wasm) {
		t.Errorf("get: %v", err)
	}
	if _, err := Get(t.Context(), "oci://"+host, api.Digest{}, t.Logf); err == nil || !strings.Contains(err.Error(), "HOST/REPO") {
		t.Errorf("get: %v", err)
	}
}

// A registry leads no further than an address does.
func TestRegistryLeadsOn(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	if _, err := Get(t.Context(), oci.Scheme+strings.TrimPrefix(srv.URL, "http://")+"/web:1", api.Digest{}, t.Logf); err == nil || !strings.Contains(err.Error(), "more than 5 times") {
		t.Errorf("got %v", err)
	}
}
