package e2e_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/realm-mesh/realm/api"
)

// privateRegistry has hello-cgi, ticker and double, by the type that wasm tools give them, for who
// knows the password of ann. It returns where it is.
func privateRegistry(t *testing.T) (host string) {
	t.Helper()
	all := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "open sesame" {
			w.Header().Set("WWW-Authenticate", `Basic realm="acme"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		all.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	host = strings.TrimPrefix(srv.URL, "http://")
	for _, program := range []string{"hello-cgi", "ticker", "double"} {
		b, err := os.ReadFile(sample(program))
		if err != nil {
			t.Fatal(err)
		}
		img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(b, "application/wasm"))
		if err != nil {
			t.Fatal(err)
		}
		at, err := name.ParseReference(host + "/acme/" + program + ":1.0")
		if err == nil {
			err = remote.Write(at, img, remote.WithAuth(&authn.Basic{Username: "ann", Password: "open sesame"}))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return host
}

// TestRegistry takes programs from a registry wherever a command names one.
func TestRegistry(t *testing.T) {
	t.Parallel()
	host, config := privateRegistry(t), t.TempDir()
	n := newNode(t, "first", filepath.Join(t.TempDir(), "owner.key"))
	n.Env = append(n.Env, "DOCKER_CONFIG="+config)
	do(t, n, "init")
	start(t, n)
	refuse(t, n, []string{"docker login " + host}, "push", "--name", "hello", "--file", "oci://"+host+"/acme/hello-cgi:1.0")
	login := `{"auths": {"` + host + `": {"auth": "YW5uOm9wZW4gc2VzYW1l"}}}`
	if err := os.WriteFile(filepath.Join(config, "config.json"), []byte(login), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(t, n, []string{"there is no tag 2.0; there is 1.0"}, "push", "--name", "hello", "--file", "oci://"+host+"/acme/hello-cgi:2.0")
	pushed := n.CLI(testContext(t), "push", "--name", "hello", "--http", "cgi", "--file", "oci://"+host+"/acme/hello-cgi:1.0")
	if pushed.Code != 0 || !strings.Contains(pushed.Stderr, "/acme/hello-cgi@sha256:") || strings.Contains(pushed.String(), "sesame") {
		t.Fatal(pushed)
	}
	if status, got := request(t, http.MethodGet, "http://"+n.HTTP+"/hello/", "", nil); status != http.StatusOK || !strings.Contains(got, "Hello from") {
		t.Errorf("%d %s", status, got)
	}
	do(t, n, "fn", "deploy", "--name", "double", "--wasm", "oci://"+host+"/acme/double:1.0")
	if got := strings.TrimSpace(do(t, n, "fn", "exec", "double", "21")); got != "42" {
		t.Errorf("double 21 = %s", got)
	}
	file := filepath.Join(t.TempDir(), "realm.toml")
	text := "name = \"shop\"\n[components.clock]\nsource = \"oci://" + host + "/acme/ticker:1.0\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, n, "apply", "--file", file)
	if out := do(t, n, "apply", "--file", file, "--yes"); !strings.Contains(out, "othing to change") {
		t.Errorf("applied again:\n%s", out)
	}
	job := filepath.Join(t.TempDir(), "job.toml")
	text = "name = \"greet\"\n[runtime]\ntype = \"wasm\"\nsource = \"oci://" + host + "/acme/hello-cgi:1.0\"\n"
	write := func() {
		t.Helper()
		if err := os.WriteFile(job, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	refuse(t, n, []string{"a tag may be another file tomorrow"}, "job", "submit", job)
	b, err := os.ReadFile(sample("hello-cgi"))
	if err != nil {
		t.Fatal(err)
	}
	text += "sha256_hex = \"" + api.Sum(b).String() + "\"\n"
	write()
	do(t, n, "job", "submit", job)
}
