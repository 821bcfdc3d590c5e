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

// Files builds the guest in testdata/files, which uses a folder in many ways.
func Files() ([]byte, error) {
	return build(filepath.Join(here(), "testdata", "files"))
}

// FilesHere builds the same program for this machine, into the file out.
func FilesHere(out string) error {
	return run(filepath.Join(here(), "testdata", "files"), os.Environ(), "build", "-o", out, ".")
}

// Sample builds one of the repository's samples; reactor is for those that are functions.
func Sample(name string, reactor bool) ([]byte, error) {
	dir := filepath.Join(here(), "..", "..", "samples", name)
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
	if err := run(dir, append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS="), append(args, ".")...); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// run runs the go command.
func run(dir string, env []string, args ...string) error {
	cmd := exec.Command("go", args...) //nolint:noctx // go test's own time limit ends it
	cmd.Dir, cmd.Env = dir, env
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, text)
	}
	return nil
}
