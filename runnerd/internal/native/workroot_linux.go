package native

import (
	"fmt"
	"os"
	"syscall"

	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

func needsPassing(m Confinement) bool {
	return m.Has(confine.OwnUser) && !m.Has(confine.MountSpace)
}

// trusted refuses a folder that somebody else has put in the way.
func trusted(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at the folder of executions: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s is no folder of this user: remove it, it is for executions", dir)
	}
	return nil
}
