package oci

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/realm-mesh/realm/api"
)

func TestFetch(t *testing.T) {
	s := newStand(t, nil)
	program, old := s.blob(TypeWasm, wasm), s.blob(TypeWasmOld, wasm)
	zip, text := s.blob(TypePackage, []byte("PK")), s.blob("text/plain", []byte("read me"))
	tar := s.blob(ocispec.MediaTypeImageLayerGzip, []byte("\x1f\x8b"))
	pushed := s.push("1.0", program)
	s.push("old", text, old)
	s.push("package", zip, text)
	s.push("one", text)
	s.push("two", text, zip, zip)
	s.push("both", text, tar)
	s.push("none")
	s.push("several", text, text)
	s.fetched(":1.0", TypeWasm, wasm)
	if want := "1.0 is " + Scheme + s.host + "/acme/web@" + pushed.Digest.String(); !strings.Contains(strings.Join(s.notes, "\n"), want) {
		t.Errorf("no %q in %q", want, s.notes)
	}
	s.fetched("@"+pushed.Digest.String(), TypeWasm, wasm)
	s.fetched(":old@"+pushed.Digest.String(), TypeWasm, wasm)
	s.fetched(":old", TypeWasmOld, wasm)
	s.fetched(":package", TypePackage, []byte("PK"))
	s.fetched(":one", "text/plain", []byte("read me"))
	s.refused(":two", "2 of its layers are "+TypePackage)
	s.refused(":both", "an image of a container")
	s.refused(":none", "it has 0 layers")
	s.refused(":several", "it has 2 layers", TypeWasm)
	s.refused(":2.0", "there is no tag 2.0; there is 1.0, both, none, old")
	s.refused("@"+digest.FromString("other").String(), "nothing of that digest")
}

func TestIndex(t *testing.T) {
	s := newStand(t, nil)
	entry := func(tag, os, arch string, body []byte) ocispec.Descriptor {
		d := s.push(tag, s.blob(TypeWasm, body))
		if os != "" {
			d.Platform = &ocispec.Platform{OS: os, Architecture: arch}
		}
		return d
	}
	linux, wasi := entry("linux", "linux", "amd64", []byte("elf")), entry("wasi", "wasip1", "wasm", wasm)
	bare := entry("bare", "", "", wasm)
	s.index("platforms", linux, wasi)
	s.index("alone", bare)
	s.index("foreign", linux)
	s.index("twice", wasi, wasi)
	s.index("empty")
	s.fetched(":platforms", TypeWasm, wasm)
	s.fetched(":alone", TypeWasm, wasm)
	s.refused(":foreign", "none of its entries is for wasm (it is for linux/amd64)")
	s.refused(":twice", "2 of its entries are for wasm", "@sha256:")
	s.refused(":empty", "none of its entries is for wasm")
}

// login asks whoever comes for the password of ann.
func login(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "open sesame" {
			w.Header().Set("WWW-Authenticate", `Basic realm="acme"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestLogin(t *testing.T) {
	s := newStand(t, login)
	s.push("1.0", s.blob(TypeWasm, wasm))
	s.refused(":1.0", "wants a login: docker login "+s.host)
	config := filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json")
	as := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// "ann:wrong", which no error repeats.
	as(fmt.Sprintf(`{"auths": {%q: {"auth": "YW5uOndyb25n"}}}`, s.host))
	s.refused(":1.0", "does not let you read it", "401", "docker login "+s.host)
	if _, err := s.fetch(":1.0"); strings.Contains(err.Error(), "wrong") {
		t.Errorf("the password is in %v", err)
	}
	as(fmt.Sprintf(`{"auths": {%q: {"auth": "YW5uOm9wZW4gc2VzYW1l"}}}`, s.host))
	s.fetched(":1.0", TypeWasm, wasm)
	as(`{"auths": "open sesame"}`)
	s.refused(":1.0", "docker's config.json cannot be read")
	if runtime.GOOS == "windows" {
		return // the helper is a script
	}
	dir := t.TempDir()
	helper := "#!/bin/sh\necho '{\"Username\": \"ann\", \"Secret\": \"open sesame\"}'\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-acme"), []byte(helper), 0o700); err != nil {
		t.Fatal(err)
	}
	as(`{"credsStore": "acme"}`)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	s.fetched(":1.0", TypeWasm, wasm)
	as(`{"credsStore": "gone"}`)
	s.refused(":1.0", "docker-credential-gone")
}

// A registry that lies is found out, and nothing of it is kept.
func TestLies(t *testing.T) {
	var lie func(w http.ResponseWriter, r *http.Request) bool
	s := newStand(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || lie == nil || !lie(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	})
	program := s.blob(TypeWasm, wasm)
	pushed := s.push("1.0", program)
	at := func(part string, do func(w http.ResponseWriter)) {
		lie = func(w http.ResponseWriter, r *http.Request) bool {
			is := strings.Contains(r.URL.Path, part)
			if is {
				do(w)
			}
			return is
		}
	}
	at("/blobs/", func(w http.ResponseWriter) { _, _ = w.Write([]byte("\x00asm\x0d\x00\x01\x00")) })
	s.refused(":1.0", "other bytes than its manifest says")
	at("/blobs/", func(w http.ResponseWriter) { _, _ = w.Write(append(wasm, 0)) })
	s.refused(":1.0", "Content-Length")
	at("/blobs/", func(w http.ResponseWriter) {
		for range 64 {
			_, _ = w.Write(wasm)
			w.(http.Flusher).Flush()
		}
	})
	s.refused(":1.0", "or more where its manifest says 8")
	at("/blobs/", func(w http.ResponseWriter) { w.Header().Set("Content-Length", "8"); _, _ = w.Write(wasm[:3]) })
	s.refused(":1.0", "unexpected EOF")
	at("/blobs/", func(w http.ResponseWriter) {
		http.Error(w, `{"errors": [{"code": "DENIED", "message": "\u001b[2Jno"}]}`, http.StatusForbidden)
	})
	s.refused(":1.0", "403 Forbidden: ?[2Jno", "docker login")
	at("/blobs/", func(w http.ResponseWriter) { http.Error(w, "broken", http.StatusBadGateway) })
	s.refused(":1.0", "502 Bad Gateway", "try again later")

	other := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		fmt.Fprintf(w, `{"schemaVersion": 2, "layers": []}`)
	}
	at("/manifests/", other)
	s.refused("@"+pushed.Digest.String(), "digest mismatch")
	at("/manifests/", func(w http.ResponseWriter) { w.Header().Set("Docker-Content-Digest", pushed.Digest.String()); other(w) })
	s.refused("@"+pushed.Digest.String(), "mismatch")
	huge := bytes.Repeat([]byte(" "), maxManifest+1)
	at("/manifests/", func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		w.Header().Set("Content-Length", fmt.Sprint(len(huge)))
		_, _ = w.Write(huge)
	})
	s.refused(":1.0", "more than 1024 KiB")
	at("/manifests/", func(w http.ResponseWriter) {
		w.Header().Set("Docker-Content-Digest", pushed.Digest.String())
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		w.Header().Set("Content-Length", fmt.Sprint(len(huge)))
		_, _ = w.Write(huge)
	})
	s.refused(":1.0", "more than 1024 KiB")
	at("/manifests/", func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		fmt.Fprint(w, "<html>")
	})
	s.refused(":1.0", "no JSON")
	layers := func(n int, l string) {
		at("/manifests/", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			fmt.Fprintf(w, `{"layers": [%s]}`, strings.TrimSuffix(strings.Repeat(l+",", n), ","))
		})
	}
	layers(maxLayers+1, `{"mediaType": "text/plain"}`)
	s.refused(":1.0", "manifest has 65 layers", "not read")
	layers(1, fmt.Sprintf(`{"mediaType": %q, "digest": %q, "size": %d}`, TypeWasm, program.Digest, api.MaxModule+1))
	s.refused(":1.0", "at most 64 MiB")
	layers(1, fmt.Sprintf(`{"mediaType": %q, "digest": %q, "size": -1}`, TypeWasm, program.Digest))
	s.refused(":1.0", "-1 bytes")
	layers(1, `{"mediaType": "application/wasm", "digest": "sha256:../../x", "size": 8}`)
	s.refused(":1.0", "not named by a sha256")
}

// Where a registry leads on, plain http is for this machine, and logins are for it alone.
func TestLeadsOn(t *testing.T) {
	var to string
	s := newStand(t, func(next http.Handler) http.Handler {
		return login(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, to, http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, r)
		}))
	})
	config := fmt.Sprintf(`{"auths": {%q: {"auth": "YW5uOm9wZW4gc2VzYW1l"}}}`, s.host)
	if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.push("1.0", s.blob(TypeWasm, wasm))
	told := make(chan string, 10)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get("Authorization")
		_, _ = w.Write(wasm)
	}))
	defer store.Close()
	to = store.URL + "/blob?signature=secret"
	s.fetched(":1.0", TypeWasm, wasm)
	if got := <-told; got != "" {
		t.Errorf("the store was told %q", got)
	}
	to = "http://store.example.org/blob?signature=secret"
	s.refused(":1.0", "store.example.org over plain http")
	if _, err := s.fetch(":1.0"); strings.Contains(err.Error(), "secret") {
		t.Errorf("the signature is in %v", err)
	}
	to = "file:///etc/passwd"
	s.refused(":1.0", "plain http")
}

// Who says nothing is waited for no longer than the command lasts.
func TestSilence(t *testing.T) {
	end := make(chan struct{})
	s := newStand(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end })
	})
	defer close(end)
	ref, err := Parse(Scheme + s.host + "/acme/web:1.0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if _, err := Fetch(ctx, client, ref, s.in, t.Logf); err == nil || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}
