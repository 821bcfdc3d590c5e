package confine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// devices of /dev that a program may use.
var devices = []string{"null", "zero", "full", "random", "urandom"}

// systemTrees are the folders with the system's programs, libraries and settings, as far
// as this machine has them. Links such as /bin to /usr/bin are among them.
func systemTrees() []string {
	all := []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt",
		"/nix/store", "/gnu/store", "/run/current-system", "/sys/devices/system/cpu"}
	return slices.DeleteFunc(all, func(p string) bool {
		_, err := os.Lstat(p)
		return err != nil
	})
}

// systemFiles are files that a program needs of folders which it does not see.
func systemFiles() []string {
	var out []string
	for _, link := range []string{"/etc/resolv.conf", "/etc/localtime", "/etc/hosts"} {
		// Such as /run/systemd/resolve/stub-resolv.conf.
		if to, err := filepath.EvalSymlinks(link); err == nil && to != link && !inTrees(to) {
			out = append(out, to)
		}
	}
	return out
}

func inTrees(path string) bool {
	return slices.ContainsFunc(systemTrees(), func(t string) bool { return within(t, path) })
}

// within reports whether path is folder or lies in it. Both are clean.
func within(folder, path string) bool {
	return folder == path || folder == "/" || strings.HasPrefix(path, folder+"/")
}

// resolvedAll follows the links of paths; one that is not there stays as it is, since it
// may come to be.
func resolvedAll(paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, filepath.Clean(p))
		if to, err := filepath.EvalSymlinks(p); err == nil && to != p {
			out = append(out, to)
		}
	}
	return out
}

// carve returns the parts of tree that hold nothing private: tree itself, or what lies
// beside the private paths in it. Landlock knows no exceptions.
func carve(tree string, private []string) []string {
	to, err := filepath.EvalSymlinks(tree)
	if err != nil {
		return nil
	}
	inside := false
	for _, p := range private {
		if within(p, to) {
			return nil
		}
		inside = inside || within(to, p)
	}
	if !inside {
		return []string{to}
	}
	entries, err := os.ReadDir(to)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		// A link is followed to where it leads when it is used, and judged there.
		if e.Type()&os.ModeSymlink == 0 {
			out = append(out, carve(filepath.Join(to, e.Name()), private)...)
		}
	}
	return out
}
