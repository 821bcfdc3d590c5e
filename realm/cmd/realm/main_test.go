package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"realm": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScript runs what needs no node that is up.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv(paths.EnvHome, env.WorkDir+"/home")
			env.Setenv(paths.EnvOwnerKey, env.WorkDir+"/account/owner.pem")
			env.Setenv("XDG_RUNTIME_DIR", env.WorkDir)
			for _, v := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} { // where contexts are kept
				env.Setenv(v, env.WorkDir+"/account")
			}
			if err := programs(env.WorkDir); err != nil {
				return err
			}
			env.Setenv("GORACE", "atexit_sleep_ms=0") // under -race every command would otherwise end a second late
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// asks is a component that imports an interface a:b/c with a function f.
const asks = "\x00asm\x0d\x00\x01\x00" +
	"\x07\x0e\x01\x42\x02\x01\x40\x00\x01\x00\x04\x00\x01f\x01\x00" + // a type: an instance with f: func()
	"\x0a\x0a\x01\x00\x05a:b/c\x05\x00"

// programs writes what scripts push and inspect.
func programs(dir string) error {
	hello, err := os.ReadFile("../../../samples/hello-http/hello-http.wasm")
	if err != nil {
		return err
	}
	tool := wasmtest.Module{MinPages: 2, Funcs: []wasmtest.Func{{Export: "_start"}}}
	for _, f := range []string{"fd_write", "proc_exit"} {
		tool.Imports = append(tool.Imports, wasmtest.Import{Module: "wasi_snapshot_preview1", Name: f})
	}
	for name, b := range map[string][]byte{"hello.wasm": hello, "cut.wasm": hello[:len(hello)/2], "asks.wasm": []byte(asks), "tool.wasm": tool.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// exits runs "exits CODE realm ARGS…" and wants that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS…")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%v: exit code %d, want %s", args[1:], got, args[0])
	}
}
