package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	buildPatience = 5 * time.Second // that a build has to end when it is told to
	maxOutput     = 64 << 10        // bytes of what a build says, its last
	maxFiles      = 100_000         // that are looked at for the program
)

// BuildError is a build that failed, with what it said.
type BuildError struct {
	Err    error
	Output string // the last of it
}

func (e *BuildError) Error() string { return "build: " + e.Err.Error() }

func (e *BuildError) Unwrap() error { return e.Err }

// Build runs the build to its end, or until ctx ends, and returns the program that it
// has made. What it says goes to show, too, unless that is nil. A build that failed is a
// [*BuildError].
func (b Builder) Build(ctx context.Context, show io.Writer) (file string, err error) {
	said := &last{show: show}
	begin := time.Now()
	cmd := exec.CommandContext(ctx, b.Args[0], b.Args[1:]...)
	cmd.Dir, cmd.Env = b.Dir, append(os.Environ(), b.Env...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = buildPatience
	inGroup(cmd)
	err = cmd.Run()
	endGroup(cmd)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", &BuildError{fmt.Errorf("%s: %w", b, err), said.String()}
	}
	if b.File != "" {
		if _, err := os.Stat(b.File); err != nil {
			return "", &BuildError{fmt.Errorf("%s went well, and %s is not there: name what it makes with --file", b, b.File), said.String()}
		}
		return b.File, nil
	}
	file, err = b.made(begin)
	if err != nil {
		return "", &BuildError{err, said.String()}
	}
	return file, nil
}

// last keeps the last of what is written to it.
type last struct {
	mu   sync.Mutex
	text []byte
	show io.Writer
}

func (l *last) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - maxOutput; over > 0 {
		l.text = slices.Delete(l.text, 0, over)
	}
	if l.show != nil {
		_, _ = l.show.Write(p) // a build does not fail for who looks on
	}
	return len(p), nil
}

func (l *last) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.ToValidUTF8(string(l.text), "?")
}

// errMany ends a walk of a folder that is too large.
var errMany = fmt.Errorf("there are more than %d files: name the program with --file", maxFiles)

// made is the program that a build has made which began at begin: the one .wasm file that
// is new, or the only one that there is.
func (b Builder) made(begin time.Time) (string, error) {
	var fresh, all []string
	count := 0
	err := filepath.WalkDir(b.Dir, func(path string, d fs.DirEntry, err error) error {
		if count++; count > maxFiles {
			return errMany
		}
		switch {
		case err != nil && path != b.Dir:
			return nil // it has gone, or is none of ours
		case err != nil:
			return err
		case d.IsDir() && path != b.Dir && (foreign(d.Name()) || filepath.Base(filepath.Dir(path)) == "release" && d.Name() == "deps"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".wasm":
			return nil
		}
		all = append(all, path)
		// Some file systems keep whole seconds.
		if fi, err := d.Info(); err == nil && !fi.ModTime().Before(begin.Truncate(time.Second)) {
			fresh = append(fresh, path)
		}
		return nil
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("look for the program: %w", err)
	case len(fresh) == 1:
		return fresh[0], nil
	case len(fresh) == 0 && len(all) == 1:
		return all[0], nil // it was up to date
	case len(all) == 0:
		return "", errors.New("the build went well, and there is no .wasm file: build for wasm, or name what it makes with --file")
	}
	return "", fmt.Errorf("there is more than one .wasm file (%s): name the program with --file", b.few(all))
}

func (b Builder) few(paths []string) string {
	const most = 5
	var out []string
	for _, p := range paths[:min(len(paths), most)] {
		if rel, err := filepath.Rel(b.Dir, p); err == nil {
			p = rel
		}
		out = append(out, p)
	}
	if len(paths) > most {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}
