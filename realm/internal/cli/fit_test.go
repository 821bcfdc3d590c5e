package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// helloHTTP is a component that answers HTTP.
const helloHTTP = "../../../samples/hello-http/hello-http.wasm"

// webProgram is a command that speaks CGI, for all that is to be seen.
func webProgram() []byte {
	return wasmtest.Module{Funcs: []wasmtest.Func{{Export: "_start"}}, MinPages: 1,
		Data: []wasmtest.Data{{Bytes: []byte("REQUEST_METHOD QUERY_STRING SERVER_PROTOCOL")}}}.Bytes()
}

// A push finds out what a file is, says so, and refuses what cannot be before a node or a
// key is needed.
func TestPushFindsOut(t *testing.T) {
	m := newMesh(t)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hello, err := os.ReadFile(helloHTTP)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"hello": helloHTTP, "cut": write("cut.wasm", hello[:len(hello)/2]), "cgi": write("cgi.wasm", webProgram()), "command": m.file,
		"bare": write("bare.wasm", wasmtest.Component()), "library": write("library.wasm", wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64))),
		"foreign": write("foreign.wasm", wasmtest.Module{Imports: []wasmtest.Import{{Module: "env", Name: "print"}}, Funcs: []wasmtest.Func{{Export: "_start"}}}.Bytes())}
	for _, c := range []struct {
		file, http string
		code       int
		words      string
		as         api.Interface
	}{
		{"hello", "", 0, "hello-http.wasm: a component that answers HTTP (wasi:http)\n", api.InterfaceHTTP},
		{"hello", "wasi", 0, "a component that answers HTTP", api.InterfaceHTTP},
		{"hello", "cgi", 2, "--http cgi: hello-http.wasm is a component that answers HTTP (wasi:http), and no command, as programs that speak CGI are: leave --http out, or say --http wasi", ""},
		{"hello", "none", 2, "runs nothing by itself", ""},
		{"cgi", "", 0, "cgi.wasm: a core module, a web program that speaks CGI\n", api.InterfaceCGI},
		{"cgi", "none", 0, "speaks CGI", api.InterfaceCommand},
		{"cgi", "wasi", 2, "wasi:http is for components: leave --http out, or say --http cgi", ""},
		{"command", "", 0, "prog.wasm: a core module, a command\n", api.InterfaceCommand},
		{"command", "cgi", 0, "a core module, a command", api.InterfaceCGI},
		{"command", "wasi", 2, "or say --http none", ""},
		{"bare", "", 0, "bare.wasm: a component without an entry: nothing of it runs\n", api.InterfaceCommand},
		{"bare", "wasi", 2, "exports no wasi:http/incoming-handler", ""},
		{"library", "", 1, "realm fn deploy --name NAME --wasm FILE", ""},
		{"library", "cgi", 1, "realm fn deploy --name NAME --wasm FILE", ""},
		{"foreign", "", 1, "needs what no node has:", ""},
		{"cut", "", 1, "no WebAssembly that can run", ""},
	} {
		t.Run(c.file+" "+c.http, func(t *testing.T) {
			args := []string{"push", "--name", "web", "--file", files[c.file], "--wait=false", "--force"}
			if c.http != "" {
				args = append(args, "--http", c.http)
			}
			m.want(c.code, []string{c.words}, args...)
			if c.code != 0 {
				return
			}
			in, _ := m.seq.Ledger().Current(api.Ref{Kind: api.KindComponent, Name: "web"}, time.Now())
			if got := componentOf(&in); got == nil || got.Interface != c.as {
				t.Errorf("it was pushed as %+v", got)
			}
		})
	}
	m.want(1, []string{"is a component that answers HTTP (wasi:http), and functions are commands, or core modules: realm push --name f --file FILE runs web programs"}, "fn", "deploy", "--name", "f", "--wasm", helloHTTP)
	m.want(1, []string{"function print of env"}, "fn", "deploy", "--name", "f", "--wasm", files["foreign"])
	m.want(0, []string{"warning: allow_hosts is for components"}, "push", "--name", "asks", "--file", m.file, "--wait=false", "--allow-host", "a.example")
	_, _, errs := m.realm("push", "--name", "hello", "--file", helloHTTP, "--wait=false", "--allow-host", "a.example")
	if errs != "" {
		t.Errorf("of a component: %s", errs)
	}
}

// A manifest says how its programs are spoken to, and is held against those that are here.
func TestApplyHoldsHTTPAgainstPrograms(t *testing.T) {
	f := newFolder(t)
	hello, err := os.ReadFile(helloHTTP)
	if err != nil {
		t.Fatal(err)
	}
	f.write("hello.wasm", string(hello))
	f.write("lib.wasm", string(wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64))))
	f.program("tool")
	text := func(file, more string) string {
		return "name = \"web\"\n[components.web]\nsource = \"" + file + "\"\n" + more
	}
	f.apply(1, []string{"component web: hello.wasm is a component that answers HTTP (wasi:http), and runs nothing by itself: say http = \"wasi\""}, text("hello.wasm", ""))
	f.apply(1, []string{"tool.wasm is a core module, a command, and wasi:http is for components: leave the key http out"}, text("tool.wasm", "http = \"wasi\"\n"))
	f.apply(1, []string{"lib.wasm is a core module, a library"}, text("lib.wasm", ""))
	f.apply(0, []string{"warning: web: allow_hosts is for components", "version 1 is accepted"}, text("tool.wasm", "allow_hosts = [\"a.example\"]\n"), "--wait=false")
	f.apply(0, []string{"http (none) -> wasi", "version 2 is accepted"}, text("hello.wasm", "http = \"wasi\"\n"), "--wait=false")
}

func TestInspectPrints(t *testing.T) {
	var v inspectView
	out, errs := strings.Builder{}, strings.Builder{}
	if code := Main([]string{"inspect", "--json", helloHTTP}, &out, &errs); code != 0 || json.Unmarshal([]byte(out.String()), &v) != nil {
		t.Fatalf("%d %s%s", code, out.String(), errs.String())
	}
	b, err := os.ReadFile(helloHTTP)
	if err != nil {
		t.Fatal(err)
	}
	if v.SHA256 != api.Sum(b) || v.Size != int64(len(b)) || !v.Component || v.Kind != "http" || !v.Runs || v.Modules == 0 || v.Memory == 0 || len(v.Imports) < 2 || len(v.Missing) != 0 {
		t.Errorf("%+v", v)
	}
	if len(v.Exports) != 1 || !strings.HasPrefix(v.Exports[0].Name, "wasi:http/incoming-handler@0.2.") || len(v.Exports[0].Functions) != 1 {
		t.Errorf("it exports %+v", v.Exports)
	}
}

func TestFunctionLines(t *testing.T) {
	got := strings.Join(functionLines([]string{"now: func() -> u64", "[method]fields.get: func(self: borrow<fields>)", "[static]fields.from-list: func(entries: list<u8>)", "[constructor]fields: func() -> fields", "a\x1b[2J: func()"}), "\n")
	want := "now: func() -> u64\nfields.get: func(self: borrow<fields>)\nfields.from-list: static func(entries: list<u8>)\nfields: constructor() -> fields\na[2J: func()"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
