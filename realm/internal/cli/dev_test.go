package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/dev"
)

// What no save can mend is told before anything is built.
func TestDevRefuses(t *testing.T) {
	m := newMesh(t)
	empty, odd := t.TempDir(), filepath.Join(t.TempDir(), "...")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	m.want(ExitUsage, []string{"DIR is missing"}, "dev")
	m.want(ExitUsage, []string{"find folder", "gone"}, "dev", filepath.Join(empty, "gone"))
	m.want(ExitUsage, []string{"is no folder"}, "dev", m.file)
	m.want(ExitUsage, []string{"name"}, "dev", odd)
	m.want(ExitUsage, []string{"--node: realm dev is about the node on this machine"}, "dev", empty, "--node", "/ip4/127.0.0.1/udp/1/quic-v1")
	m.want(ExitUsage, []string{"--http"}, "dev", empty, "--build", "true", "--http", "soap")
	m.want(ExitFailed, []string{"--build CMD"}, "dev", empty, "--name", "web")
}

func TestDevName(t *testing.T) {
	for base, want := range map[string]api.Name{"web": "web", "My Shop!": "my-shop", "_x_": "x", "a.b": "a-b"} {
		dir := filepath.Join(t.TempDir(), base)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, name, err := new(devFlags).folder(newDev(&app{}), dir); err != nil || name != want {
			t.Errorf("%q: %q, %v; want %q", base, name, err, want)
		}
	}
}

// linesBegin wants that text has these lines, by what they begin with.
func linesBegin(t *testing.T, text string, want ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// Events are a line of JSON each; what a program or a build writes stays in its place.
func TestDevEvents(t *testing.T) {
	var out, problems strings.Builder
	d := &devLoop{app: &app{out: &out, err: &problems, json: true}, flags: &devFlags{}}
	d.failed(t.Context(), "build", &dev.BuildError{Err: os.ErrInvalid, Output: "a\nb\x1b[2J\n"})
	d.line(api.LogLine{Stream: "stderr", Line: "\x1b[2Jhere"})
	_ = d.pushed(resultView{Version: 3})
	linesBegin(t, out.String(),
		`{"event":"failed","what":"build","error":"build: invalid argument","output":"a\nb\u001b[2J\n"}`,
		`{"event":"log","log":{"stream":"stderr","line":"\u001b[2Jhere"}}`,
		`{"event":"pushed","result":{`)
	out.Reset()
	d.app.json = false
	d.last = api.Sum(nil)
	d.failed(t.Context(), "build", &dev.BuildError{Err: os.ErrInvalid, Output: "a\nb\x1b[2J\n"})
	d.line(api.LogLine{Line: "\x1b[2Jhere"})
	linesBegin(t, problems.String(), "  | a", "  | b[2J", "Failed: build: invalid argument", "What was pushed before goes on.")
	linesBegin(t, out.String(), "  | [2Jhere")
}
