package wasmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// here is the folder of this source file.
func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// Probe builds the guest in testdata/probe, whose arguments say what it does.
func Probe() ([]byte, error) {
	return build(filepath.Join(here(), "testdata", "probe"))
}

// Sample builds one of the repository's samples; reactor is for those that are functions.
func Sample(name string, reactor bool) ([]byte, error) {
	dir := filepath.Join(here(), "..", "..", "..", "samples", name)
	if reactor {
		return build(dir, "-buildmode=c-shared")
	}
	return build(dir)
}

// build builds the Go program in dir for WASI with stock Go.
func build(dir string, flags ...string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "wasmtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "out.wasm")
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", out}, flags...)
	cmd := exec.Command("go", append(args, ".")...) //nolint:noctx // go test's own time limit ends it
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", dir, err, text)
	}
	return os.ReadFile(out)
}
