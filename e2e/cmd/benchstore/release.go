package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// release builds meshd, the largest of our binaries, as make build does.
type release struct{ source, dir string }

// edit puts text in the place of old in a file of the source; without a file it does
// nothing.
type edit struct{ what, file, old, text string }

const versionVar = "github.com/realm-mesh/realm/internal/kit/buildinfo.Version"

// build makes the binary name, of a version, in the release's folder. The source
// stays as it is: the compiler reads the edited file from elsewhere.
func (r release) build(ctx context.Context, name, version string, e edit) (string, error) {
	out := filepath.Join(r.dir, name)
	args := []string{"build", "-trimpath", "-ldflags", "-s -w -X " + versionVar + "=" + version, "-o", out}
	if e.file != "" {
		overlay, err := r.overlay(name, e)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./meshd/cmd/meshd")...)
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, said)
	}
	return out, nil
}

// overlay writes what tells the compiler of an edit.
func (r release) overlay(name string, e edit) (string, error) {
	file, err := filepath.Abs(filepath.Join(r.source, e.file))
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	before, after, ok := strings.Cut(string(b), e.old)
	if !ok {
		return "", fmt.Errorf("edit %s: there is no %q any more: choose another place to edit", e.file, e.old)
	}
	edited := filepath.Join(r.dir, name+".go")
	if err := os.WriteFile(edited, []byte(before+e.text+after), 0o600); err != nil {
		return "", err
	}
	overlay := filepath.Join(r.dir, name+".json")
	b, err = json.Marshal(map[string]map[string]string{"Replace": {file: edited}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, b, 0o600)
}
