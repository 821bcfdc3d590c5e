package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	quiet     = 200 * time.Millisecond // after the last of several writes that are one save
	longest   = 2 * time.Second        // that writes may go on before they count as a save
	maxFolder = 10_000                 // folders that are watched
)

// Watcher tells when somebody saves something in a folder, or below it.
type Watcher struct {
	dir    string
	ignore []string
	file   string
	in     *fsnotify.Watcher
	count  int
	// Saved has a value when something was saved since it was last read.
	Saved chan string
}

// Watch begins to watch dir, but for names that ignore has as patterns, file, and what
// tools make. [Watcher.Run] tells of saves from here on, and ends the watching.
func Watch(dir string, ignore []string, file string) (*Watcher, error) {
	for _, p := range ignore {
		if _, err := filepath.Match(p, ""); err != nil {
			return nil, fmt.Errorf("--ignore %q: %w: want a name, such as *.log", p, err)
		}
	}
	in, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &Watcher{dir: dir, ignore: ignore, file: file, in: in, Saved: make(chan string, 1)}
	if err := w.add(dir); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return w, nil
}

// add watches a folder and those in it.
func (w *Watcher) add(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path != w.dir:
			return nil // it has gone meanwhile
		case err != nil:
			return fmt.Errorf("watch: %w", err)
		case !d.IsDir():
			return nil
		case path != w.dir && w.ignored(path):
			return filepath.SkipDir
		}
		if w.count++; w.count > maxFolder {
			return fmt.Errorf("watch %s: it has more than %d folders: name a smaller one, or leave some out with --ignore NAME", w.dir, maxFolder)
		}
		if err := w.in.Add(path); err != nil && path == w.dir {
			return fmt.Errorf("watch %s: %w", path, err)
		}
		return nil
	})
}

// foreign reports whether a folder holds what others have made, or tools keep.
func foreign(name string) bool { return strings.HasPrefix(name, ".") || name == "node_modules" }

// ignored reports whether what is at path does not count.
func (w *Watcher) ignored(path string) bool {
	if path == w.file {
		return true
	}
	name := filepath.Base(path)
	if foreign(name) || slices.Contains([]string{"target", "build", "dist", "4913"}, name) || strings.HasSuffix(name, "~") ||
		slices.Contains([]string{".wasm", ".cwasm", ".swp", ".tmp", ".log"}, filepath.Ext(name)) {
		return true
	}
	return slices.ContainsFunc(w.ignore, func(p string) bool { ok, _ := filepath.Match(p, name); return ok })
}

// Run puts what was saved into Saved, once writing has been quiet for a while, until ctx
// ends. A save that nobody has asked for yet stands for those that follow.
func (w *Watcher) Run(ctx context.Context) error {
	defer w.in.Close()
	var timer *time.Timer
	var fire <-chan time.Time
	var first time.Time
	var what string
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.in.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %s: %w", w.dir, err)
			}
			w.tell(filepath.Base(w.dir)) // something was saved, whatever it was
		case e := <-w.in.Events:
			if !w.counts(e) {
				continue
			}
			if fire == nil {
				first = time.Now()
			} else {
				timer.Stop()
			}
			// A file that is there says more than another that has become it.
			if fire == nil || !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Rename) {
				what = e.Name
			}
			timer = time.NewTimer(min(quiet, max(0, longest-time.Since(first))))
			fire = timer.C
		case <-fire:
			fire = nil
			w.tell(what)
		}
	}
}

func (w *Watcher) tell(path string) {
	if rel, err := filepath.Rel(w.dir, path); err == nil {
		path = rel
	}
	select {
	case w.Saved <- path:
	default:
	}
}

// counts reports whether an event is of a save. New folders are watched from now on.
func (w *Watcher) counts(e fsnotify.Event) bool {
	if e.Name == "" || e.Op == fsnotify.Chmod || w.ignored(e.Name) {
		return false
	}
	if e.Has(fsnotify.Create) {
		_ = w.add(e.Name) // a file, or one that has gone: there is nothing to watch
	}
	return true
}
