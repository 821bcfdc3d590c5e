package main

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Case is a component, and what has to come of it.
type Case struct {
	Name string // of its file, without an ending
	Rule string // that it is about
	What string // it shows, in words
	Must string // see verdict
	wasm []byte
}

// read reads the cases of a folder: of each its text, whose first two lines say what it is about
// and what must happen, and its binary form.
func read(files fs.FS, folder string) ([]Case, error) {
	paths, err := fs.Glob(files, path.Join(folder, "*.wat"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("find cases in %s: %w", folder, err)
	}
	var out []Case
	for _, p := range paths {
		text, err := fs.ReadFile(files, p)
		if err != nil {
			return nil, fmt.Errorf("read case: %w", err)
		}
		lines := strings.SplitN(string(text), "\n", 3)
		about, ok := strings.CutPrefix(lines[0], ";; ")
		rule, what, also := strings.Cut(about, ": ")
		must, says := strings.CutPrefix(lines[1], ";; ")
		if !ok || !also || !says {
			return nil, fmt.Errorf("read case %s: its first lines do not say what must happen", p)
		}
		wasm, err := fs.ReadFile(files, strings.TrimSuffix(p, ".wat")+".wasm")
		if err != nil {
			return nil, fmt.Errorf("read case: %w", err)
		}
		out = append(out, Case{strings.TrimSuffix(path.Base(p), ".wat"), rule, what, must, wasm})
	}
	return out, nil
}
