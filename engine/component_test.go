package engine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/engine/mount"
)

// componentFile is one of the components that tests have in common.
func componentFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("component", "testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCommandComponent runs a program of Rust, which calls WASI 0.2 by way of an adapter.
func TestCommandComponent(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "here"), []byte("what is here"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := mount.Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	m := ready(t, componentFile(t, "rust-command"), 64)
	for _, c := range []struct {
		args, in string
		out      string
		code     uint32
	}{
		{"args a b", "", `["a", "b"]` + "\n", 0},
		{"env", "", "A=1\nB=two words\n", 0},
		{"cat", strings.Repeat("0123456789", 30_000), strings.Repeat("0123456789", 30_000), 0},
		{"upper", "loud", "LOUD", 0},
		{"stderr oh", "", "(oh)\n", 0},
		{"exit 1", "", "", 1},
		{"clock", "", "true\n", 0},
		{"sleep 20", "", "", 0},
		{"read /data/here", "", "what is here", 0},
		{"mkdir /data/new", "", "", 0},
		{"write /data/new/file some", "", "", 0},
		{"append /data/new/file ,more", "", "", 0},
		{"read /data/new/file", "", "some,more", 0},
		{"size /data/new/file", "", "9\n", 0},
		{"rename /data/new/file /data/moved", "", "", 0},
		{"list /data", "", `["here", "moved", "new"]` + "\n", 0},
		{"remove /data/moved", "", "", 0},
		{"read /data/../../etc/passwd", "", "", 1},
		{"read /etc/passwd", "", "", 1},
	} {
		var out, complaints bytes.Buffer
		err := m.Run(t.Context(), Env{Args: append([]string{"tool"}, strings.Fields(c.args)...), Vars: []Var{{Name: "A", Value: "1"}, {Name: "B", Value: "two words"}},
			Stdin: strings.NewReader(c.in), Stdout: &out, Stderr: &complaints, Mounts: []Mount{{Guest: "/data", Folder: folder}}})
		got := out.String()
		if strings.HasPrefix(c.args, "stderr") {
			got = "(" + strings.TrimSpace(complaints.String()) + ")\n"
		}
		exit := new(ExitError)
		if errors.As(err, &exit) != (c.code > 0) || exit.Code != c.code || got != c.out {
			t.Errorf("%s: %.60q, %v; %s", c.args, got, err, complaints.String())
		}
	}
}

// TestComponentsHaveLimits has a component meet those of an instance, over all its core
// modules.
func TestComponentsHaveLimits(t *testing.T) {
	m := ready(t, componentFile(t, "rust-command"), 32)
	run := func(ctx context.Context, fuel uint64, args ...string) (Usage, error) {
		var used Usage
		var out bytes.Buffer
		return used, m.Run(ctx, Env{Args: append([]string{"tool"}, args...), Stdout: &out, Stderr: &out, Fuel: fuel, Used: func(u Usage) { used = u }})
	}
	if _, err := run(t.Context(), 10_000_000, "loop"); !errors.As(err, new(*FuelError)) {
		t.Errorf("without fuel: %v", err)
	}
	if _, err := run(t.Context(), 0, "fill", "100"); !errors.As(err, new(*MemoryError)) {
		t.Errorf("without memory: %v", err)
	}
	if _, err := run(t.Context(), 0, "panic"); !errors.As(err, new(*Trap)) {
		t.Errorf("a panic: %v", err)
	}
	for _, what := range []string{"loop", "sleep 3600000"} {
		ctx, cancel := WithDeadline(t.Context(), 50*time.Millisecond)
		if _, err := run(ctx, 0, strings.Fields(what)...); !errors.As(err, new(*DeadlineError)) || errors.Is(err, ErrRunaway) {
			t.Errorf("%s, after its deadline: %v", what, err)
		}
		cancel()
	}
}

// TestComponentIsCountedAsOne has what a component uses be that of all its core modules
// and of the host, the same each time.
func TestComponentIsCountedAsOne(t *testing.T) {
	m := ready(t, componentFile(t, "rust-command"), 64)
	var all []Usage
	held := int64(0)
	for range 2 {
		err := m.Run(t.Context(), Env{Args: []string{"tool", "upper"}, Stdin: strings.NewReader("text"),
			Used: func(u Usage) { all = append(all, u) }, Holds: func(n int64) { held += n }})
		if err != nil {
			t.Fatal(err)
		}
	}
	if all[0].Fuel != all[1].Fuel || all[0].Fuel < 10_000 || all[0].Memory < m.Size() {
		t.Errorf("used %+v, and begins with %d bytes", all, m.Size())
	}
	if held != 0 {
		t.Errorf("%d bytes are held in the end", held)
	}
}

func TestHostileComponents(t *testing.T) {
	for name, want := range map[string]string{
		"endless": "deadline", "freed": "no handle", "guess": "no handle", "handles": "", "length": "a list takes 4294967295 bytes",
		"pointer": "not in the memory", "random": "random", "realloc": "not in the memory", "reentry": "realloc",
		"result-end": "not in the memory", "result": "not aligned", "twice": "no handle",
	} {
		t.Run(name, func(t *testing.T) {
			m := ready(t, componentFile(t, filepath.Join("text", "hostile-"+name)), 16)
			ctx, cancel := WithDeadline(t.Context(), 300*time.Millisecond)
			defer cancel()
			var out bytes.Buffer
			err := m.Run(ctx, Env{Args: []string{"hostile"}, Stdout: &limited{to: &out, left: 1 << 20}, Fuel: 1 << 32})
			if err == nil || errors.Is(err, ErrRunaway) || !strings.Contains(err.Error(), want) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

// limited takes no more than a little, and says nothing.
type limited struct {
	to   *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.to.Write(p[:n])
	l.left -= n
	return len(p), nil
}

// TestComponentsThatCannotRun has them be told from others when they are read.
func TestComponentsThatCannotRun(t *testing.T) {
	for name, want := range map[string]string{
		"async-import": "async functions", "async-types": "streams, futures", "unknown-import": "",
	} {
		r, err := Inspect(componentFile(t, "text/"+name))
		if err != nil || !r.Component || len(r.Missing) == 0 || !strings.Contains(strings.Join(r.Missing, ", "), want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		lacks := new(component.Error)
		if _, err := Parse(componentFile(t, "text/"+name)); want != "" && !errors.As(err, &lacks) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := ready(t, componentFile(t, "text/library"), 16)
	if err := m.Run(t.Context(), Env{}); !errors.Is(err, component.ErrNoEntry) || m.Kind() != KindLibrary {
		t.Errorf("a %s: %v", m.Kind(), err)
	}
}

// TestInspectComponent reads what people are told.
func TestInspectComponent(t *testing.T) {
	r, err := Inspect(componentFile(t, "http"))
	if err != nil || r.Kind != KindHTTP || len(r.Missing) > 0 || r.Modules < 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if x := r.Exports[0]; !strings.HasPrefix(x.Name, "wasi:http/incoming-handler@0.2.") ||
		x.Functions[0] != "handle: func(request: incoming-request, response-out: response-outparam)" {
		t.Errorf("it exports %+v", r.Exports)
	}
	for _, i := range r.Imports {
		if !strings.HasPrefix(i.Name, "wasi:") || len(i.Functions) == 0 {
			t.Errorf("it imports %+v", i)
		}
	}
}
