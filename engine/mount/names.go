package mount

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// maxName is the longest path of a guest, in bytes: as on Linux.
const maxName = 4096

// hostPath is a path below the folder, in the words of the host.
type hostPath struct {
	path  string // clean and relative
	slash bool   // it ended in a slash, and so means a folder
}

func (p hostPath) String() string {
	if p.slash {
		return p.path + string(filepath.Separator)
	}
	return p.path
}

// hostName is what a guest's path means. Paths below a folder that a guest has open
// may come with a slash in front: wazero puts it there.
func hostName(guest string) (hostPath, sys.Errno) {
	if len(guest) > maxName {
		return hostPath{}, sys.ENAMETOOLONG
	}
	if slices.Contains(strings.Split(guest, "/"), "..") {
		return hostPath{}, sys.EPERM // wazero takes those away that stay inside
	}
	clean := path.Clean(strings.TrimLeft(guest, "/")) // "." for nothing
	local, err := filepath.Localize(clean)
	if err != nil {
		return hostPath{}, sys.EINVAL // a NUL; in Windows a backslash, a drive or a device
	}
	return hostPath{local, clean != "." && strings.HasSuffix(guest, "/")}, 0
}
