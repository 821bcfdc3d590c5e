package dev

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// folder has files by their names, with / for folders.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	bin := t.TempDir() // stands for the tools, which need not be on this machine
	for _, tool := range []string{"make", "go", "cargo", "npm", "sh"} {
		for _, suffix := range []string{"", ".exe"} {
			if err := os.WriteFile(filepath.Join(bin, tool+suffix), nil, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", bin)
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"Makefile": "all: x\nwasm: x\n\tgo build\nbuild:\n", "go.mod": "module x"}, "make wasm"},
		{map[string]string{"Makefile": "build := x\nbuild : y\n"}, "make build"},
		{map[string]string{"Makefile": "build := x\n", "go.mod": "module x"}, "GOOS=wasip1 GOARCH=wasm go build -o OUT ."},
		{map[string]string{"main.go": "package main"}, "GOOS=wasip1 GOARCH=wasm go build -o OUT ."},
		{map[string]string{"Makefile": "run:\n"}, "make"},
		{map[string]string{"Cargo.toml": "[package]"}, "cargo build --release --target wasm32-wasip1"},
		{map[string]string{"Cargo.toml": "[dependencies]\nwstd = \"0.5\""}, "cargo build --release --target wasm32-wasip2"},
		{map[string]string{"Cargo.toml": "[package]", ".cargo/config.toml": "target = \"wasm32-wasip2\""}, "cargo build --release --target wasm32-wasip2"},
		{map[string]string{"package.json": `{"scripts": {"build": "jco"}}`}, "npm run build"},
	} {
		b, err := Find(folder(t, c.files), "", "", "/out")
		if got := strings.Replace(b.String(), filepath.Join("/out", filepath.Base(b.Dir)+".wasm"), "OUT", 1); err != nil || got != c.want {
			t.Errorf("%v: %q, %v; want %q", c.files, got, err, c.want)
		}
	}
	for want, files := range map[string]map[string]string{
		"say how it is built with --build": {"package.json": `{"scripts": {"test": "x"}}`},
		"package.json: ":                   {"package.json": `{`},
	} {
		if _, err := Find(folder(t, files), "", "", "/out"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(folder(t, map[string]string{"go.mod": "module x"}), "", "", "/out"); err == nil || !strings.Contains(err.Error(), "go, which is not installed") {
		t.Errorf("without go: %v", err)
	}
}

func TestBuild(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	dir := folder(t, map[string]string{"node_modules/x/other.wasm": "", ".git/y.wasm": "", "target/release/deps/z.wasm": ""})
	run := func(command, file string) (string, error) {
		b, err := Find(dir, command, file, "")
		if err != nil {
			t.Fatal(err)
		}
		return b.Build(t.Context(), nil)
	}
	fails := func(want, command, file string) {
		t.Helper()
		_, err := run(command, file)
		if failed := new(BuildError); !errors.As(err, &failed) || !strings.Contains(failed.Error()+failed.Output, want) {
			t.Errorf("%s: no %q in %v", command, want, err)
		}
	}
	fails("there is no .wasm file", "true", "")
	fails("exit status 3", "echo so far; exit 3", "")
	fails("so far\n", "echo so far; exit 3", "")
	fails("is not there", "true", filepath.Join(dir, "gone.wasm"))
	for range 2 { // new, then up to date
		if got, err := run("test -e out/a.wasm || { mkdir -p out; touch out/a.wasm; }", ""); err != nil || got != filepath.Join(dir, "out", "a.wasm") {
			t.Errorf("%s, %v", got, err)
		}
	}
	write(t, filepath.Join(dir, "b.wasm"), "")
	fails("more than one .wasm file (b.wasm, out/a.wasm)", "true", "")
	if got, err := run("true", filepath.Join(dir, "b.wasm")); err != nil || got != filepath.Join(dir, "b.wasm") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestLast(t *testing.T) {
	var show strings.Builder
	l := &last{show: &show}
	for range 3 {
		if _, err := l.Write([]byte(strings.Repeat("x", maxOutput-1) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.String(); len(got) != maxOutput || !strings.HasSuffix(got, "x\n") || show.Len() != 3*maxOutput {
		t.Errorf("%d bytes are kept, %d shown", len(got), show.Len())
	}
}
