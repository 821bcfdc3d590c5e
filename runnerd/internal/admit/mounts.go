package admit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/mount"
	"github.com/realm-mesh/realm/runnerd/internal/sandbox"
)

// Open opens the folders that a workload mounts. They are closed by closeAll, once no
// guest sees them any more. Errors are those of [Node.Admit].
func (n *Node) Open(mounts []api.Mount) (_ []sandbox.Mount, closeAll func(), err error) {
	out := make([]sandbox.Mount, 0, len(mounts))
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
		out = append(out, sandbox.Mount{Guest: m.Guest, Folder: mount.New(root, m.RO)})
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
	for _, p := range n.Private {
		if p = resolved(p); within(path, p) || within(p, path) {
			return nil, fmt.Errorf("mount %.200q: it holds what is this node's own, or its owner's, and no program may see: mount another folder", host)
		}
	}
	root, err := openBelow(below, path)
	if err != nil {
		return nil, explain(host, err)
	}
	return root, nil
}

// above returns the folder of the settings, resolved, in which a resolved path lies.
func (n *Node) above(path string) (string, bool) {
	for _, m := range n.Mounts {
		if m = resolved(m); within(m, path) {
			return m, true
		}
	}
	return "", false
}

// open reports whether a path that leads nowhere would lie in a folder of the settings.
func (n *Node) open(host string) bool {
	host = filepath.Clean(host)
	return slices.ContainsFunc(n.Mounts, func(m string) bool { return within(m, host) || within(resolved(m), host) })
}

// openBelow opens a folder that is, or lies in, another. Should somebody put a link in
// its way meanwhile, it does not lead out.
func openBelow(folder, path string) (*os.Root, error) {
	rel, err := filepath.Rel(folder, path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil || rel == "." {
		return root, err
	}
	defer root.Close()
	return root.OpenRoot(rel)
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
