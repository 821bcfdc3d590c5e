package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var wasm = []byte("\x00asm\x01\x00\x00\x00")

// stand is a registry on this machine, and what a person has who asks it.
type stand struct {
	*testing.T
	host  string
	notes []string
	in    string // where downloads go
}

// newStand has a registry behind wrap, and a docker config of its own.
func newStand(t *testing.T, wrap func(http.Handler) http.Handler) *stand {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &stand{T: t, host: strings.TrimPrefix(srv.URL, "http://"), in: t.TempDir()}
}

// put uploads to the registry.
func (s *stand) put(path, mediaType string, body []byte) {
	s.Helper()
	req, err := http.NewRequest(http.MethodPut, "http://"+s.host+path, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	req.SetBasicAuth("ann", "open sesame")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		s.Fatalf("%s: %s", path, resp.Status)
	}
}

// blob uploads a layer.
func (s *stand) blob(mediaType string, body []byte) ocispec.Descriptor {
	s.Helper()
	d := digest.FromBytes(body)
	req, err := http.NewRequest(http.MethodPost, "http://"+s.host+"/v2/acme/web/blobs/uploads/?digest="+d.String(), bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.SetBasicAuth("ann", "open sesame")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		s.Fatalf("upload: %s", resp.Status)
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(body))}
}

func (s *stand) manifest(tag, mediaType string, m any) ocispec.Descriptor {
	s.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		s.Fatal(err)
	}
	s.put("/v2/acme/web/manifests/"+tag, mediaType, text)
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}
}

// push uploads a manifest of these layers.
func (s *stand) push(tag string, layers ...ocispec.Descriptor) ocispec.Descriptor {
	s.Helper()
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: s.blob(TypeConfig, []byte("{}")), Layers: layers}
	m.SchemaVersion = 2
	return s.manifest(tag, ocispec.MediaTypeImageManifest, m)
}

func (s *stand) index(tag string, entries ...ocispec.Descriptor) {
	s.Helper()
	m := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: entries}
	m.SchemaVersion = 2
	s.manifest(tag, ocispec.MediaTypeImageIndex, m)
}

func (s *stand) fetch(which string) (Artifact, error) {
	s.Helper()
	ref, err := Parse(Scheme + s.host + "/acme/web" + which)
	if err != nil {
		s.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	return Fetch(s.Context(), client, ref, s.in, func(format string, args ...any) {
		s.notes = append(s.notes, fmt.Sprintf(format, args...))
	})
}

// refused wants an error with all these words, and nothing left of what was fetched.
func (s *stand) refused(which string, words ...string) {
	s.Helper()
	_, err := s.fetch(which)
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			s.Errorf("%s: no %q in %v", which, w, err)
		}
	}
	if left, _ := os.ReadDir(s.in); len(left) > 0 {
		s.Errorf("%s: %v is left", which, left)
	}
}

func (s *stand) fetched(which, mediaType string, want []byte) {
	s.Helper()
	a, err := s.fetch(which)
	if err != nil {
		s.Fatal(err)
	}
	got, err := os.ReadFile(a.Path)
	if err != nil || !bytes.Equal(got, want) || a.Digest != api.Sum(want) || a.Size != int64(len(want)) || a.MediaType != mediaType {
		s.Errorf("%s: %+v, %q, %v", which, a, got, err)
	}
	if err := os.Remove(a.Path); err != nil {
		s.Error(err)
	}
}
