package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shopFolder is a folder that becomes a package by the names of what is in it.
func shopFolder(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(sample("hello-cgi"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"shop.wasm": string(program), "static/index.html": "<p>", "config/app.conf": "x = 1", "seed-data/rows": "1,2", ".env": "never packed"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// greeting waits until a program answers with this text.
func greeting(t *testing.T, url, want string) {
	t.Helper()
	until(t, "it answers "+want, func(ctx context.Context) error {
		code, body, err := tryRequest(ctx, http.MethodGet, url, "", nil)
		if err == nil && (code != http.StatusOK || !strings.HasPrefix(body, want)) {
			err = fmt.Errorf("%d: %.80s", code, body)
		}
		return err
	})
}

// TestPackage makes a package of a folder, deploys it, and uses it in a manifest; all that it
// brings is on three members before the command returns.
func TestPackage(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	first, dir := nodes[0], shopFolder(t)
	file := filepath.Join(t.TempDir(), "shop.realm")
	do(t, first, "package", "create", "--dir", dir, "--name", "shop", "-o", file)
	do(t, nodes[1], "package", "create", "--dir", dir, "--name", "shop", "-o", file+"2")
	one, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(file + "2")
	if err != nil || !bytes.Equal(one, two) || bytes.Contains(one, []byte("never packed")) {
		t.Fatalf("%v: the same folder is another package, or has what nobody named", err)
	}
	if out := do(t, first, "package", "inspect", file); !strings.Contains(out, "volume shop-data") || !strings.Contains(out, "http cgi") {
		t.Errorf("realm package inspect:\n%s", out)
	}

	// One bit of the program, and one of its files.
	for _, what := range []string{"\x00asm", "<p>"} {
		bad := bytes.Replace(one, []byte(what), []byte("\x01"+what[1:]), 1)
		if err := os.WriteFile(file+"3", bad, 0o600); err != nil {
			t.Fatal(err)
		}
		refuse(t, first, []string{"open package"}, "deploy-package", "--file", file+"3")
	}
	if out := do(t, first, "deploy-package", "--file", file, "--dry-run"); !strings.Contains(out, "component/shop  create") {
		t.Errorf("--dry-run:\n%s", out)
	}

	out := do(t, first, "deploy-package", "--file", file, "--replicas", "1", "--env", "GREETING=Ahoy")
	if !strings.Contains(out, "kept on 3 members: 4 of 4 blobs") || !strings.Contains(out, "component/shop runs on 1 node") {
		t.Errorf("realm deploy-package:\n%s", out)
	}
	greeting(t, "http://"+nodes[2].HTTP+"/shop/", "Ahoy from /shop")
	refuse(t, first, []string{"belongs to package shop", "--take-over"}, "push", "--name", "shop", "--file", sample("hello-cgi"))

	// In a manifest, under another name, with a setting of its own.
	path := filepath.Join(filepath.Dir(file), "realm.toml")
	text := "[components.cart]\nsource = \"shop.realm\"\nreplicas = 1\nenv = { GREETING = \"Moin\" }\nmounts = [{ kind = \"work\", guest = \"/tmp\", size_mb = 1 }]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, nodes[1], "apply", "--file", path, "--yes")
	greeting(t, "http://"+first.HTTP+"/cart/", "Moin from /cart")
	if out := do(t, first, "volume", "ls"); !strings.Contains(out, "shop-data") || !strings.Contains(out, "cart-data") {
		t.Errorf("each has a volume of its own:\n%s", out)
	}
	// Another page is another version, and nothing else of it moves.
	if err := os.WriteFile(filepath.Join(dir, "static", "index.html"), []byte("<h1>"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, first, "package", "create", "--dir", dir, "--name", "shop", "-o", file)
	if out := do(t, first, "diff", "--file", path); !strings.Contains(out, "mounts./www static, files sha256") || !strings.Contains(out, "1 to update") || strings.Contains(out, "program") {
		t.Errorf("realm diff:\n%s", out)
	}
}
