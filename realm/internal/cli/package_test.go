package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
	"github.com/realm-mesh/realm/realm/internal/plan"
)

// tree writes files below the folder.
func (f *folder) tree(files map[string]string) {
	f.m.t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(f.dir, filepath.Dir(name)), 0o755); err != nil {
			f.m.t.Fatal(err)
		}
		f.write(name, text)
	}
}

// pack makes shop.realm of a folder with a page, settings and a seed.
func (f *folder) pack() string {
	f.m.t.Helper()
	f.tree(map[string]string{"shop/shop.wasm": string(called("shop")), "shop/static/index.html": "<p>", "shop/config/a": "1", "shop/work/.gitkeep": "", "shop/seed-data/rows": "1,2"})
	path := filepath.Join(f.dir, "shop.realm")
	f.m.want(0, []string{"package shop"}, "package", "create", "--dir", filepath.Join(f.dir, "shop"), "--name", "shop", "-o", path)
	return path
}

// stored fails where the node has not all that c needs.
func (f *folder) stored(c *api.Component) {
	f.m.t.Helper()
	for _, b := range c.Blobs() {
		if !f.m.store.Has(b.SHA256) {
			f.m.t.Errorf("%s is not stored", b.SHA256.Short())
		}
	}
}

func TestDeployPackage(t *testing.T) {
	f := newFolder(t)
	file := f.pack()
	f.m.want(0, []string{"component/shop  create  sha256 ", "mounts./data state, volume shop-data, seed sha256 "}, "deploy-package", "--file", file, "--dry-run")
	f.m.want(0, []string{"shop.realm: a core module, a command", "static: ", "component/shop: version 1 is accepted", "component/shop runs on 1 node"}, "deploy-package", "--file", file, "--replicas", "1", "--env", "A=b", "--fuel", "7")
	_, c := f.current("shop")
	if c.Source != (api.Source{Package: "shop"}) || c.Replicas != 1 || c.Env["A"] != "b" || c.Module.Limits.Fuel != 7 || len(c.Mounts) != 4 || len(c.Blobs()) != 4 {
		t.Errorf("%+v", c)
	}
	f.stored(c)
	f.m.want(0, []string{"component/shop  unchanged"}, "deploy-package", "--file", file, "--dry-run", "--replicas", "1", "--env", "A=b", "--fuel", "7")
	f.m.want(0, []string{"component/shop  update  env.A \"b\" -> (none)", "fuel 7 -> default", "replicas 1 -> every"}, "deploy-package", "--file", file, "--dry-run")

	// Another page is another version; what has not changed is not sent again.
	f.tree(map[string]string{"shop/static/index.html": "<h1>"})
	f.m.want(0, nil, "package", "create", "--dir", filepath.Join(f.dir, "shop"), "--name", "shop", "-o", file)
	f.m.want(0, []string{"mounts./www static, files sha256 ", "-> static, files sha256 "}, "deploy-package", "--file", file, "--dry-run")
	code, out, errs := f.m.realm("deploy-package", "--file", file, "--json")
	var r resultView
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Version != 2 || !r.Reached {
		t.Errorf("%d %v %s%s", code, err, out, errs)
	}
	_, next := f.current("shop")
	if next.Mounts[0].Files == c.Mounts[0].Files || *next.Mounts[1].Files != *c.Mounts[1].Files {
		t.Errorf("%+v", next.Mounts)
	}
	f.stored(next)
	f.m.want(0, []string{"mounts./www static, files sha256 "}, "rollback", "shop", "--dry-run")

	// Under another name it has a volume of its own.
	f.m.want(0, []string{"component/test: version 1"}, "deploy-package", "--file", file, "--name", "test")
	if _, c := f.current("test"); c.Mounts[3].Volume != "test-data" || c.Source.Package != "shop" {
		t.Errorf("%+v", c)
	}
}

// TestPackageHasOneSource: neither a push nor a package takes over what the other looks
// after, unless it is told to.
func TestPackageHasOneSource(t *testing.T) {
	f := newFolder(t)
	file := f.pack()
	f.m.want(0, nil, "push", "--name", "shop", "--file", f.m.file)
	f.m.want(1, []string{"shop was pushed by itself, and is not part of package shop: give --take-over"}, "deploy-package", "--file", file)
	f.m.want(1, []string{"blocked", "from push", "give --take-over"}, "deploy-package", "--file", file, "--dry-run")
	f.m.want(0, []string{"take over", "from push"}, "deploy-package", "--file", file, "--dry-run", "--take-over")
	f.m.want(0, nil, "deploy-package", "--file", file, "--take-over")
	f.m.want(1, []string{"component/shop belongs to package shop: deploy that again (realm deploy-package), or give --take-over"}, "push", "--name", "shop", "--file", f.m.file)
	f.apply(1, []string{"package shop looks after it"}, "[components.shop]\nsource = 'shop.realm'\n")
	f.apply(0, []string{"take over"}, "[components.shop]\nsource = 'shop.realm'\n", "--take-over", "--yes")
	if _, c := f.current("shop"); c.Source.Manifest != "default" || c.Source.Package != "" {
		t.Errorf("%+v", c.Source)
	}
}

// TestApplyPackage: a package is the source of a component, whose table says more.
func TestApplyPackage(t *testing.T) {
	f := newFolder(t)
	f.pack()
	f.tree(map[string]string{"pages/index.html": "mine", "pages/b": "b"})
	text := "[components.cart]\nsource = 'shop.realm'\nreplicas = 1\nepoch_ms = 5\nenv = { A = 'b' }\nmounts = [{ kind = 'static', guest = '/www', source = 'pages' }, { kind = 'work', guest = '/tmp' }]\n"
	f.apply(0, []string{"mounts./data state, volume cart-data, seed", "Everything is as version 1"}, text)
	_, c := f.current("cart")
	var guests []string
	for _, m := range c.Mounts {
		guests = append(guests, m.Guest)
	}
	if !slices.Equal(guests, []string{"/etc/app", "/work", "/data", "/www", "/tmp"}) || c.Replicas != 1 || c.Module.Limits.EpochMS != 5 || c.Env["A"] != "b" {
		t.Errorf("%v %+v", guests, c)
	}
	f.stored(c)
	f.diff(0, []string{"Nothing to change: 1 unchanged."}, "--exit-code")
	f.tree(map[string]string{"pages/b": "c"})
	f.diff(3, []string{"~ cart  update     mounts./www static, files sha256 ", "1 to update"}, "--exit-code")
	f.apply(0, []string{"pages: ", "version 2 is accepted"}, text)

	// Whose files nobody has any more is not gone back to.
	_, c = f.current("cart")
	f.apply(1, []string{"realm.toml:1:30: component cart: shop.realm is another program than sha256_hex says"}, "components.cart = { source = 'shop.realm', sha256_hex = '"+strings.Repeat("ab", 32)+"' }\n")
	f.apply(1, []string{"component cart: read folder", "realm.toml:5:10"}, "[components.cart]\nsource = 'shop.realm'\n[[components.cart.mounts]]\nkind='static'\nsource = 'away'\nguest='/w'\n")
	f.apply(1, []string{"realm.toml:2:10: component cart: health: path is for programs that answer HTTP"}, "[components.cart]\nsource = 'shop.realm'\nhealth = { path = '/h' }\n")
	if _, now := f.current("cart"); now.Instance() != c.Instance() {
		t.Error("something was signed")
	}
}

// TestApplyPackageFromURL: what an address answers is told by its first bytes.
func TestApplyPackageFromURL(t *testing.T) {
	f := newFolder(t)
	file := f.pack()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }))
	t.Cleanup(s.Close)
	f.apply(0, []string{"Everything is as version 1"}, "[components.shop]\nsource = '"+s.URL+"/latest'\n")
	_, c := f.current("shop")
	if len(c.Mounts) != 4 {
		t.Errorf("%+v", c)
	}
	f.stored(c)
	f.m.want(1, []string{"is a package, and no program by itself"}, "fn", "deploy", "--name", "shop", "--wasm", s.URL+"/shop.realm")
}

func TestPushFolders(t *testing.T) {
	f := newFolder(t)
	f.tree(map[string]string{"www/a": "a", "seed/b": "b"})
	push := []string{"push", "--name", "web", "--file", f.m.file, "--mount", "kind=static,guest=/www,source=" + filepath.Join(f.dir, "www"), "--mount", "kind=work,guest=/work,size_mb=8",
		"--mount", "kind=state,guest=/data,volume=cart,size_mb=64,ro,seed=" + filepath.Join(f.dir, "seed")}
	f.m.want(0, []string{"www: ", "seed: ", "component/web runs on"}, push...)
	_, c := f.current("web")
	want := []api.Mount{{Kind: api.MountStatic, Guest: "/www", Files: c.Mounts[0].Files}, {Kind: api.MountWork, Guest: "/work", SizeMB: 8}, {Kind: api.MountState, Guest: "/data", Volume: "cart", SizeMB: 64, RO: true, Files: c.Mounts[2].Files}}
	if !slices.Equal(c.Mounts, want) || len(c.Blobs()) != 3 {
		t.Errorf("%+v", c.Mounts)
	}
	f.stored(c)
	if err := os.Symlink("/etc/passwd", filepath.Join(f.dir, "www", "link")); err != nil {
		t.Fatal(err)
	}
	f.m.want(1, []string{"link: it is neither a file nor a folder"}, push...)
}

// TestFolderChangesMeanwhile: a folder that is written to while it is pushed ends the
// command at once.
func TestFolderChangesMeanwhile(t *testing.T) {
	f := &folder{dir: t.TempDir()}
	f.m = newMesh(t, func(casd *nodetest.Casd) {
		casd.Refuse = func(http.ResponseWriter) bool { // of the program, which is stored first
			if err := os.WriteFile(filepath.Join(f.dir, "www", "a"), []byte("much more"), 0o600); err != nil {
				t.Error(err)
			}
			return false
		}
	})
	f.tree(map[string]string{"www/a": "a"})
	begin := time.Now()
	f.m.want(1, []string{"www has changed since this command began: repeat the command"}, "push", "--name", "web", "--file", f.m.file, "--mount", "kind=static,guest=/www,source="+filepath.Join(f.dir, "www"))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("after %v", took)
	}
}

// TestRollbackNeedsFiles: files of mounts count like programs.
func TestRollbackNeedsFiles(t *testing.T) {
	f := newFolder(t)
	f.tree(map[string]string{"www/a": "a"})
	mount := "kind=static,guest=/www,source=" + filepath.Join(f.dir, "www")
	f.m.want(0, nil, "push", "--name", "web", "--file", f.m.file, "--mount", mount)
	_, c := f.current("web")
	f.tree(map[string]string{"www/a": "b"})
	f.m.want(0, nil, "push", "--name", "web", "--file", f.m.file, "--mount", mount)
	f.m.seq.Gone = map[api.Digest]bool{c.Mounts[0].Files.SHA256: true}
	f.m.store.Drop(c.Mounts[0].Files.SHA256)
	f.m.want(1, []string{"no node is known to have files that it shows any more"}, "rollback", "web")
	if i := (plan.Item{}); i.NewBlobs() {
		t.Error("what is not wanted needs bytes")
	}
}
