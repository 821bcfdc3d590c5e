package pack

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a folder that becomes a package; a name with a slash at its end is a folder.
var shop = map[string]string{
	"shop.wasm": string(wasmtest.Nothing()), "static/index.html": "<p>", "static/img/a": "a", "config/app.conf": "x=1",
	"work/": "", "seed-data/rows": "1,2", "secret.env": "never packed",
}

func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		folder := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if folder == path {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func with(files map[string]string, more ...string) map[string]string {
	out := map[string]string{}
	for k, v := range files {
		out[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// packed makes a package of a folder.
func packed(t testing.TB, files map[string]string, name api.Name) []byte {
	t.Helper()
	d, err := Create(t.Context(), write(t, files), name)
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

func opened(t testing.TB, raw []byte) (*Package, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.realm")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), path)
	if err == nil {
		t.Cleanup(func() { p.Close() })
	}
	return p, err
}

// TestMade: a folder without a manifest becomes a package by the names of its folders,
// twice the same.
func TestMade(t *testing.T) {
	raw := packed(t, shop, "shop")
	if !bytes.Equal(raw, packed(t, shop, "shop")) {
		t.Error("the same folder makes other bytes")
	}
	if !Is(raw) || bytes.Contains(raw, []byte("never packed")) {
		t.Error("it is no package, or has what nobody named")
	}
	p, err := opened(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	if p.Info.Size != int64(len(raw)) || p.Info.SHA256 != sha256.Sum256(raw) || p.Unused != 0 {
		t.Errorf("%+v, %d unused", p.Info, p.Unused)
	}
	c, err := p.Deployed("cart")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	var got []string
	for i, m := range c.Mounts {
		n := -1
		if p.Files[i] != nil {
			n = p.Files[i].Count
		}
		got = append(got, fmt.Sprintf("%s %s %s %d", m.Kind, m.Guest, m.Volume, n))
	}
	if want := "[static /www  2 config /etc/app  1 work /work  -1 state /data cart-data 1]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestBlobs: what a node is sent has the digest that is signed, each time, and is the same
// as what the folder by itself makes.
func TestBlobs(t *testing.T) {
	p, err := opened(t, packed(t, shop, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Blobs()); n != 4 {
		t.Fatalf("%d blobs", n)
	}
	for _, b := range append(p.Blobs(), p.Blobs()...) {
		from := b.Open(t.Context(), func(err error) { t.Errorf("%s: %v", b.Name, err) })
		raw, err := io.ReadAll(from)
		if err != nil || api.Sum(raw) != b.SHA256 || int64(len(raw)) != b.Size {
			t.Errorf("%s: %d bytes, %v", b.Name, len(raw), err)
		}
		from.Close()
	}
	f, err := Folder(t.Context(), filepath.Join(write(t, shop), "static"))
	if err != nil || f.BlobInfo != p.Files[0].BlobInfo || f.Count != 2 || f.Bytes != 4 {
		t.Errorf("%+v, %v, want %+v", f, err, p.Files[0].BlobInfo)
	}
	p.Program.Open(t.Context(), func(err error) { t.Error(err) }).Close() // before its end: nothing is left behind
}

// TestFolderChanges: bytes that are others by now are not taken for those that were signed.
func TestFolderChanges(t *testing.T) {
	for _, text := range []string{"b", "more", ""} {
		dir := write(t, map[string]string{"a": "a"})
		f, err := Folder(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "a"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		told := make(chan error, 1)
		from := f.Open(t.Context(), func(err error) { told <- err })
		if _, err := io.ReadAll(from); err == nil || !strings.Contains(err.Error(), "has changed since this command began") {
			t.Errorf("%q: %v", text, err)
		}
		if err := <-told; err == nil {
			t.Errorf("%q: nobody is told", text)
		}
		from.Close()
	}
}

const plain = "[component]\nname = 'shop'\nwasm = 'bin/a.wasm'\n"

func TestWrittenManifest(t *testing.T) {
	text := plain + "replicas = 2\nhealth = { interval = '1s' }\n[[mounts]]\nkind = 'state'\nguest = '/d'\nvolume = 'kept'\nsize_mb = 8\nro = true\n"
	files := map[string]string{"manifest.toml": text, "bin/a.wasm": string(wasmtest.Nothing())}
	p, err := opened(t, packed(t, files, ""))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Deployed("other")
	if err != nil || c.Replicas != 2 || c.Health == nil || c.Mounts[0] != (api.Mount{Kind: api.MountState, Guest: "/d", Volume: "kept", SizeMB: 8, RO: true}) {
		t.Errorf("%+v, %v", c, err)
	}
	d, err := Create(t.Context(), write(t, files), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	digest := api.Sum(wasmtest.Nothing())
	want := strings.Replace(text, "a.wasm'\n", "a.wasm'\nsha256 = \""+digest.String()+"\"\n", 1)
	if string(d.Manifest) != want || d.Made {
		t.Errorf("manifest\n%s", d.Manifest)
	}
	whole := with(files, "manifest.toml", want)
	if !bytes.Equal(packed(t, whole, "shop"), packed(t, files, "shop")) {
		t.Error("a digest that is written by hand makes another package")
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		name  api.Name
		want  string
	}{
		"no program":     {map[string]string{"a": ""}, "shop", "there is no .wasm file in"},
		"two programs":   {with(shop, "b.wasm", ""), "shop", "has several programs (b.wasm, shop.wasm)"},
		"no name":        {shop, "", "and the package no name"},
		"bad name":       {shop, "My Shop", "use 1 to 63 characters"},
		"no wasm":        {map[string]string{"a.wasm": "ELF"}, "a", "no WebAssembly"},
		"other name":     {map[string]string{"manifest.toml": plain, "bin/a.wasm": string(wasmtest.Nothing())}, "cart", "calls it shop, not cart"},
		"missing wasm":   {map[string]string{"manifest.toml": plain}, "", "manifest.toml:3:8: wasm: "},
		"other program":  {map[string]string{"manifest.toml": plain + "sha256 = '" + strings.Repeat("ab", 32) + "'\n", "bin/a.wasm": string(wasmtest.Nothing())}, "", "manifest.toml:4:10: sha256: bin/a.wasm is another program"},
		"other http":     {map[string]string{"manifest.toml": plain + "http = 'wasi'\n", "bin/a.wasm": string(wasmtest.Nothing())}, "", "manifest.toml:3:8: "},
		"inline":         {map[string]string{"manifest.toml": "component = { name = 'shop', wasm = 'a.wasm' }\n", "a.wasm": string(wasmtest.Nothing())}, "", "cannot be written into this form"},
		"missing folder": {map[string]string{"manifest.toml": plain + "[[mounts]]\nkind = 'static'\nguest = '/w'\nsource = 'www'\n", "bin/a.wasm": string(wasmtest.Nothing())}, "", "manifest.toml:7:10: there is no folder"},
		"device name":    {with(shop, "static/aux.txt", ""), "shop", "the name of a device"},
	} {
		d, err := Create(t.Context(), write(t, c.files), c.name)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			d.Close()
		}
	}
	dir := write(t, shop)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "static", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), dir, "shop"); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Errorf("a link: %v", err)
	}
}

// TestParseSpecRefuses: each mistake has its place.
func TestParseSpecRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "m:1:1: there is no [component]",
		"component = 1":                      "m:1:13: component: want a table",
		"[component]\nname = 'a'":            "m:1:2: wasm is missing",
		"[component]\nwasm = 'a'":            "m:1:2: name is missing",
		plain + "replicsa = 1":               "m:4:1: unknown key \"replicsa\" in [component]: did you mean \"replicas\"?",
		plain + "[[mounst]]\n":               "m:4:3: unknown key \"mounst\"",
		plain + "mounts = []":                "m:4:1: mounts of a package are tables of their own",
		plain + "target_tags = []":           "m:4:1: unknown key \"target_tags\"",
		"[component]\nname='a'\nwasm='../a'": "m:3:6: wasm: want a path",
		plain + "[[mounts]]\nhost='/etc'\nguest='/e'":                                            "kind: a package knows no folders of members",
		plain + "[[mounts]]\nkind='static'\nguest='/e'\nsource='/etc'":                           "m:7:8: source: want a path",
		plain + "[[mounts]]\nkind='static'\nguest='/e'":                                          "source is missing",
		plain + "[[mounts]]\nkind='work'\nguest='/e'\nsource='w'":                                "m:7:8: source: only static and config mounts",
		plain + "[[mounts]]\nkind='work'\nguest='/e'\nseed='w'":                                  "m:7:6: seed: only a state mount",
		plain + "[[mounts]]\nkind='state'\nguest='/e'\nsize_mb=0":                                "m:7:9: size_mb: want 1 to 1048576",
		plain + "[[mounts]]\nkind='static'\nguest='/e'\nsource='w'\nsize_mb=3":                   "size_mb 3: want 1 to 1048576, of a work or state mount",
		plain + "[[mounts]]\nkind='work'\nguest='e'":                                             "want an absolute path",
		plain + "[[mounts]]\nkind='stat'\nguest='/e'":                                            "m:5:6: kind: \"stat\": did you mean",
		plain + "[[mounts]]\nkind='work'\nguest='/e'\n[[mounts]]\nkind='work'\nguest='/e'":       "there are two of them",
		plain + "[[mounts]]\nkind='state'\nguest='/'":                                            "give it a name by the key volume",
		plain + "[[mounts]]\nkind='state'\nguest='/a/x'\n[[mounts]]\nkind='state'\nguest='/b/x'": "volume shop-x is mounted elsewhere",
		plain + "[[mounts]]\nkind='state'\nguest='/a'\nvolume='../x'":                            "volume: name",
	} {
		_, err := ParseSpec("m", []byte(text))
		var problems tomlfile.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// zipped is an archive that was made elsewhere.
func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOpenRefuses(t *testing.T) {
	digest := api.Sum(wasmtest.Nothing()).String()
	good := plain + "sha256 = '" + digest + "'\n"
	files := map[string]string{"manifest.toml": good, "bin/a.wasm": string(wasmtest.Nothing()), "README": "x"}
	p, err := opened(t, zipped(t, files))
	if err != nil || p.Unused != 1 {
		t.Fatalf("one that was made elsewhere: %v", err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"no archive":      {wasmtest.Nothing(), "it does not end as a zip archive does"},
		"slip":            {zipped(t, with(files, "../x", "")), "no plain path"},
		"no manifest":     {zipped(t, map[string]string{"a": ""}), "there is no manifest.toml in it"},
		"large manifest":  {zipped(t, with(files, "manifest.toml", strings.Repeat("#", MaxManifest+1))), "larger than 1024 KiB"},
		"no digest":       {zipped(t, with(files, "manifest.toml", plain)), "shop.realm:manifest.toml:1:2: sha256 is missing"},
		"another program": {zipped(t, with(files, "bin/a.wasm", string(wasmtest.Nothing())+"\x00\x01\x00")), "manifest.toml:4:10: sha256: bin/a.wasm is another program"},
		"no program":      {zipped(t, map[string]string{"manifest.toml": good}), "manifest.toml:3:8: wasm: there is no file bin/a.wasm"},
		"no wasm":         {zipped(t, with(files, "bin/a.wasm", "x")), "no WebAssembly"},
		"no folder":       {zipped(t, with(files, "manifest.toml", good+"[[mounts]]\nkind='static'\nguest='/e'\nsource='w'")), "manifest.toml:8:8: there is no folder w"},
		"a file":          {zipped(t, with(files, "manifest.toml", good+"[[mounts]]\nkind='static'\nguest='/e'\nsource='README'")), "there is no folder README"},
	} {
		if _, err := opened(t, c.raw); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzManifest reads whatever the manifest of a package may hold: what is taken makes a
// component that can be signed, and what is refused is somewhere in the text.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(plain + "env.A='b'\n[[mounts]]\nkind='static'\nguest='/w'\nsource='a/b'\n[[mounts]]\nkind='state'\nguest='/d'\nseed='s'\nsize_mb=3\n"))
	f.Add([]byte("[[component]]\n[[mounts]]\n[mounts.a]"))
	f.Add([]byte("component={name='a',wasm='b'}\nmounts=[{kind='work',guest='/w'},1]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSpec("m", text)
		var problems tomlfile.Problems
		if err != nil {
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		c, err := s.Component(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		c.Module.Blob, c.Module.Size = api.Sum(nil), 1
		for i, m := range s.Mounts {
			m.Mount = c.Mounts[i]
			if c.Mounts[i] = m.Stand(false); m.Kind == api.MountHost {
				t.Fatalf("a folder of a member: %+v", m)
			}
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}
