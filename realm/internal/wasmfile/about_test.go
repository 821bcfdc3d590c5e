package wasmfile

import (
	"os"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// hello is a real component that answers HTTP.
func hello(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../samples/hello-http/hello-http.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// cgi is a command that has the names of the variables of CGI in its data.
func cgi() []byte {
	return wasmtest.Module{Funcs: []wasmtest.Func{{Export: "_start"}}, MinPages: 1,
		Data: []wasmtest.Data{{Bytes: []byte("REQUEST_METHOD QUERY_STRING SERVER_PROTOCOL")}}}.Bytes()
}

// asking is a component that imports an interface with a function f.
func asking(name string) []byte {
	f := []byte{1, 0x40, 0, 1, 0}        // declares a type: a function that takes and returns nothing
	export := []byte{4, 0, 1, 'f', 1, 0} // exports one of that type as f
	types := append(append([]byte{1, 0x42, 2}, f...), export...)
	imports := append([]byte{1, 0, byte(len(name))}, name...)
	imports = append(imports, 5, 0) // an instance of type 0
	out := append([]byte(bare), 7, byte(len(types)))
	out = append(append(out, types...), 10, byte(len(imports)))
	return append(out, imports...)
}

func TestAbout(t *testing.T) {
	on := map[string]api.Interface{"command": api.InterfaceCommand, "cgi": api.InterfaceCGI, "wasi": api.InterfaceHTTP}
	for name, c := range map[string]struct {
		wasm   []byte
		kind   Kind
		text   string
		speaks string // as what it can be pushed; first what it is pushed as
		why    string // of what it is refused
	}{
		"command":   {wasmtest.Nothing(), KindCommand, "a core module, a command", "command cgi", "wasi:http is for components"},
		"cgi":       {cgi(), KindCGI, "a core module, a web program that speaks CGI", "cgi command", "wasi:http is for components"},
		"library":   {wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64)), KindLibrary, "a core module, a library", "", "realm fn deploy"},
		"reactor":   {wasmtest.Functions(wasmtest.Func{Export: "_initialize"}), KindReactor, "a core module, a reactor", "", "realm fn deploy"},
		"empty":     {[]byte(core), KindLibrary, "a core module, a library", "", "realm fn deploy"},
		"handler":   {hello(t), KindHTTP, "a component that answers HTTP", "wasi", "and"},
		"no entry":  {[]byte(bare), KindNone, "a component without an entry", "command", "exports no wasi:http/incoming-handler"},
		"foreign":   {wasmtest.Module{Imports: []wasmtest.Import{{Module: "env", Name: "print"}}, Funcs: []wasmtest.Func{{Export: "_start"}}}.Bytes(), KindCommand, "a core module, a command", "", "function print of env"},
		"gojs":      {wasmtest.Module{Imports: []wasmtest.Import{{Module: "gojs", Name: "f"}}}.Bytes(), KindLibrary, "a core module", "", "GOOS=wasip1 instead of GOOS=js"},
		"interface": {asking("a:b/c"), KindNone, "a component without", "", "a:b/c"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := Module{Bytes: c.wasm}.About()
			if err != nil {
				t.Fatal(err)
			}
			if a.Kind() != c.kind || !strings.HasPrefix(a.String(), c.text) {
				t.Errorf("it is %s, %s", a.Kind(), a)
			}
			can := strings.Fields(c.speaks)
			i, err := a.Interface()
			if len(can) == 0 && err == nil || len(can) > 0 && (err != nil || i != on[can[0]]) {
				t.Errorf("pushed as %q, %v", i, err)
			}
			for word, i := range on {
				err := a.Speaks(i)
				if want := strings.Contains(c.speaks, word); (err == nil) != want || err != nil && word == "wasi" && !strings.Contains(err.Error(), c.why) {
					t.Errorf("as %s: %v", word, err)
				}
			}
		})
	}
}

func TestAboutWhatIsDamaged(t *testing.T) {
	b := hello(t)
	for name, b := range map[string][]byte{"cut": b[:len(b)/2], "core": []byte(core + "garbage"), "none": []byte("no wasm")} {
		if a, err := (Module{Bytes: b}).About(); err == nil {
			t.Errorf("%s: %s", name, a)
		}
	}
}

// What lacks very much is told of in few lines.
func TestMissingIsBounded(t *testing.T) {
	var m wasmtest.Module
	for range 5000 {
		m.Imports = append(m.Imports, wasmtest.Import{Module: "env", Name: strings.Repeat("x", 1000)})
	}
	a, err := Module{Bytes: m.Bytes()}.About()
	if err != nil {
		t.Fatal(err)
	}
	if text := a.Runnable().Error(); len(text) > 10_000 || !strings.Contains(text, "and 4980 more") {
		t.Errorf("%d bytes: %.100s", len(text), text)
	}
}

// FuzzAbout reads whatever a file may hold: it is told of, or refused.
func FuzzAbout(f *testing.F) {
	for _, b := range [][]byte{[]byte(core), []byte(bare), hello(f), cgi(), asking("a:b/c")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Module{Bytes: b}.About()
		if err != nil {
			return
		}
		i, err := a.Interface()
		if a.String() == "" || err == nil && (len(a.Missing) > 0 || a.Speaks(i) != nil) {
			t.Fatalf("%s, pushed as %q, %v, lacks %q", a, i, err, a.Missing)
		}
	})
}
