package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/engine/wasi"
)

// answers are what the guest said of functions of WASI: how each was run.
type answers map[string]string

// Ways in which functions were run.
const (
	byCommand = "a command calls it, and looks at what comes"
	byHandler = "a web program calls it, and looks at what comes"
	byAbsence = "a command calls it with a handle that nobody can have: it traps"
	byExit    = "a command calls it, and ends"
)

// guest runs the guest of testdata/wasi.
type guest struct {
	module  *engine.Module
	answers answers
	wrong   []string
}

// callWASI has a guest call all functions of WASI.
func callWASI(ctx context.Context, h *host, files fs.FS) (answers, []string, error) {
	wasm, err := fs.ReadFile(files, "component/conformance/testdata/wasi/guest.wasm")
	if err != nil {
		return nil, nil, fmt.Errorf("read guest: %w", err)
	}
	m, err := h.load(ctx, wasm)
	if err != nil {
		return nil, nil, fmt.Errorf("load guest: %w", err)
	}
	defer m.Release()
	g := &guest{module: m, answers: answers{}}
	g.basics(ctx)
	if err := g.files(ctx); err != nil {
		return nil, nil, err
	}
	g.requests(ctx)
	g.serves(ctx)
	g.command(ctx, engine.Env{}, "sockets")
	g.exits(ctx)
	g.absent(ctx)
	return g.answers, g.wrong, nil
}

// fails notes what went wrong.
func (g *guest) fails(format string, args ...any) {
	g.wrong = append(g.wrong, fmt.Sprintf(format, args...))
}

// command runs the guest, and returns what it wrote to its errors.
func (g *guest) command(ctx context.Context, env engine.Env, what string) string {
	var out, complaints bytes.Buffer
	env.Args, env.Stdout, env.Stderr, env.Fuel = []string{"conformance", what, ""}, &out, &complaints, caseFuel
	if err := g.module.Run(ctx, env); err != nil {
		g.fails("%s: %v", what, err)
	}
	g.note(out.String(), byCommand)
	return complaints.String()
}

// note takes down what the guest says: a line for each function, and whether it did well.
func (g *guest) note(said, how string) {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "well "); ok {
			if g.answers[name] == "" {
				g.answers[name] = how
			}
			continue
		}
		g.fails("%s", line)
	}
}

func (g *guest) basics(ctx context.Context) {
	got := g.command(ctx, engine.Env{Stdin: strings.NewReader("0123456789"), Vars: []engine.Var{{Name: "A", Value: "1"}, {Name: "B", Value: "two words"}}}, "basics")
	if want := "6789ab\x00\x00c\x00"; got != want {
		g.fails("its errors are %q, and should be %q", got, want)
	}
}

func (g *guest) files(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return fmt.Errorf("make folder of the guest: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "here"), []byte("what is here"), 0o600); err != nil {
		return fmt.Errorf("write file of the guest: %w", err)
	}
	folder, err := mount.Open(dir, false)
	if err != nil {
		return fmt.Errorf("open folder of the guest: %w", err)
	}
	defer folder.Close()
	g.command(ctx, engine.Env{Mounts: []engine.Mount{{Guest: "/data", Folder: folder}}}, "files")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		g.fails("in the folder are then %v: %v", left, err)
	}
	return nil
}

// redirected sends requests to a server on this host.
type redirected struct{ to string }

// Send implements [wasi.Sender].
func (r redirected) Send(req *http.Request, _ wasi.Timeouts) (*http.Response, error) {
	if req.URL.Host != "server.example" {
		return nil, errors.New("a request to " + req.URL.Host)
	}
	req.URL.Host = r.to
	return http.DefaultTransport.RoundTrip(req)
}

func (g *guest) requests(ctx context.Context) {
	server := httptest.NewServer(http.HandlerFunc(answer))
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // it is one
	defer server.Close()
	g.command(ctx, engine.Env{Sender: redirected{server.Listener.Addr().String()}}, "requests")
}

// answer is the server that the guest asks.
func answer(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/cut":
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "part of it")
		_ = http.NewResponseController(w).Flush() // it can
		panic(http.ErrAbortHandler)
	case r.Method != http.MethodPost || r.URL.RequestURI() != "/echo?q=1" || r.Host != "server.example" || r.Header.Get("X-B") != "c":
		w.WriteHeader(http.StatusBadRequest)
	default:
		body, _ := io.ReadAll(r.Body) // what is missing of it is missing in the answer
		w.Header().Set("X-Answer", "yes")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", strconv.Itoa(len(body)))
	}
}

// serves has the guest answer a request.
func (g *guest) serves(ctx context.Context) {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://guest.example/in?q=2", strings.NewReader("sent"))
	r.Header.Set("X-Asked", "this")
	w, ended := httptest.NewRecorder(), make(chan error, 1)
	err := g.module.Serve(ctx, engine.Env{Fuel: caseFuel}, w, r, func(err error) { ended <- err })
	if err = errors.Join(err, <-ended); err != nil || w.Code != http.StatusAccepted || w.Header().Get("X-Guest") != "here" {
		g.fails("it answers %d with %v: %v", w.Code, w.Header(), err)
	}
	g.note(w.Body.String(), byHandler)
}

// exits has the guest end in all ways that it has.
func (g *guest) exits(ctx context.Context) {
	for _, c := range []struct {
		what, more string
		code       uint32
	}{{"exit", "0", 0}, {"exit", "1", 1}, {"exit-with-code", "0", 0}, {"exit-with-code", "42", 42}} {
		name, err := g.last(ctx, c.what, c.more)
		exit := new(engine.ExitError)
		if errors.As(err, &exit) != (c.code > 0) || exit.Code != c.code {
			g.fails("%s %s: %v", c.what, c.more, err)
		}
		g.answers[name] = byExit
	}
	var out bytes.Buffer
	if err := g.module.Run(ctx, engine.Env{Args: []string{"conformance", "basics", ""}, Stdout: &out, Stderr: io.Discard, Fuel: caseFuel}); err == nil {
		g.answers["wasi:cli/run run"] = byCommand
	}
}

// last runs the guest until it calls what must not return, and tells which function that is.
func (g *guest) last(ctx context.Context, what, more string) (name string, err error) {
	var out bytes.Buffer
	err = g.module.Run(ctx, engine.Env{Args: []string{"conformance", what, more}, Stdout: &out, Fuel: caseFuel})
	lines := slices.Collect(strings.Lines(out.String()))
	if len(lines) == 0 {
		return "", err
	}
	name, ok := strings.CutPrefix(strings.TrimSpace(lines[len(lines)-1]), "calls ")
	if !ok && err == nil {
		err = errors.New("it returns")
	}
	return name, err
}

// absent has the guest call, one by one, what takes a handle that nobody can have.
func (g *guest) absent(ctx context.Context) {
	for n := 1; ; n++ {
		name, err := g.last(ctx, "absent", strconv.Itoa(n))
		if name == "" {
			return
		}
		if err := verdict("traps: no handle", err); err != nil {
			g.fails("%s: %v", name, err)
		}
		g.answers[name] = byAbsence
	}
}
