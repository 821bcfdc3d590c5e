package admit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/mount"
)

// Open opens folders of the host. They are closed by closeAll, once no guest sees them any
// more. Errors are those of [Node.Admit].
func (n *Node) Open(mounts []api.Mount) (_ []engine.Mount, closeAll func(), err error) {
	out := make([]engine.Mount, 0, len(mounts))
	closeAll = func() {
		for _, m := range out {
			_ = m.Folder.Close() // nothing is lost: it holds a descriptor
		}
	}
	for _, m := range mounts {
		root, err := n.openFolder(m.Host)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		out = append(out, engine.Mount{Guest: m.Guest, Folder: mount.New(root, m.RO)})
	}
	return out, closeAll, nil
}

func (n *Node) openFolder(host string) (*os.Root, error) {
	if !filepath.IsAbs(host) {
		return nil, fmt.Errorf("mount %.200q: it is no absolute path on this node, which runs %s: target nodes of another system, or mount another folder", host, runtime.GOOS)
	}
	path, err := filepath.EvalSymlinks(host)
	if err != nil {
		if !n.open(host) {
			return nil, notAllowed(host) // whatever it is: a stranger learns nothing of it
		}
		return nil, explain(host, err)
	}
	below, ok := n.above(path)
	if !ok {
		return nil, notAllowed(host)
	}
	if n.private(path) {
		return nil, fmt.Errorf("mount %.200q: it holds what is this node's own, its owner's or the system's, and no program may see: mount another folder", host)
	}
	root, err := openBelow(below, path)
	if err != nil {
		return nil, explain(host, err)
	}
	return root, nil
}

// above returns the folder of the settings, resolved, in which a resolved path lies. Of
// several it is the outermost: no program can put anything else in its place.
func (n *Node) above(path string) (found string, ok bool) {
	for _, m := range n.Mounts {
		if m = resolved(m); within(m, path) && (!ok || within(m, found)) {
			found, ok = m, true
		}
	}
	return found, ok
}

// ofTheSystem are folders through which a program could reach into others, and devices.
var ofTheSystem = []string{"/proc", "/sys", "/dev"}

// private reports whether a resolved path holds what no program may see, or lies in it.
// Of what a link leads to, both are: what it is, and where the link lies.
func (n *Node) private(path string) bool {
	return slices.ContainsFunc(slices.Concat(n.Private, ofTheSystem), func(p string) bool {
		link := filepath.Join(resolved(filepath.Dir(p)), filepath.Base(p))
		return related(path, resolved(p)) || related(path, link)
	})
}

// related reports whether one of two resolved paths lies in the other.
func related(a, b string) bool {
	return within(a, b) || within(b, a) || passes(a, b) || passes(b, a)
}

// passes reports whether path is the same as folder, or lies in it, by another name: of
// another case where the file system does not mind, or by a second mount.
func passes(path, folder string) bool {
	want, err := os.Stat(folder)
	if err != nil {
		return false // there is nothing yet
	}
	for {
		if is, err := os.Stat(path); err == nil && os.SameFile(is, want) {
			return true
		}
		up := filepath.Dir(path)
		if up == path {
			return false
		}
		path = up
	}
}

// open reports whether a path that leads nowhere would lie in a folder of the settings.
func (n *Node) open(host string) bool {
	host = filepath.Clean(host)
	return slices.ContainsFunc(n.Mounts, func(m string) bool { return within(m, host) || within(resolved(m), host) })
}

// openBelow opens a folder that is, or lies in, another. Both paths are resolved: it
// follows no link, so that what it opens is where the path says, whatever somebody puts
// in the way meanwhile.
func openBelow(folder, path string) (*os.Root, error) {
	rel, err := filepath.Rel(folder, path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil || rel == "." {
		return root, err
	}
	for name := range strings.SplitSeq(rel, string(filepath.Separator)) {
		next, err := enter(root, name)
		_ = root.Close() // nothing is lost: it holds a descriptor
		if err != nil {
			return nil, err
		}
		root = next
	}
	return root, nil
}

// errReplaced says that a folder was not what it had been a moment before.
var errReplaced = errors.New("something else took its place while it was opened: it is tried again")

// enter opens a folder in another, unless that name is a link.
func enter(root *os.Root, name string) (*os.Root, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	next, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = errReplaced
	}
	if err != nil {
		return nil, errors.Join(err, next.Close())
	}
	return next, nil
}

// within reports whether path is folder or lies in it. Both are absolute and clean.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// resolved is a path with its links followed, or as it is if there is nothing yet.
func resolved(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	return filepath.Clean(path)
}

func notAllowed(host string) error {
	return fmt.Errorf("this node lets nothing under %.200s be mounted: realm configure --allow-mount %.200s on it", host, host)
}

// explain says what to do about a folder that does not open.
func explain(host string, err error) error {
	switch info, e := os.Stat(host); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %.200s on this node: make it there", host)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this node may not open %.200s: give the user that Realm runs as the right to it there", host)
	case errors.Is(err, syscall.ENOTDIR), e == nil && !info.IsDir():
		return fmt.Errorf("%.200s on this node is not a folder: mount the folder that it lies in", host)
	}
	return fmt.Errorf("mount %.200q: %w", host, err)
}
