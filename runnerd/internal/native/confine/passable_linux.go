package confine

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Passable says why a user that owns nothing and has no group cannot reach a path.
func Passable(path string, user int) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && int(st.Uid) != user && info.Mode()&0o001 == 0 {
			return fmt.Errorf("the program, which runs as a user of its own, cannot reach %s: others may not pass %s, and this machine allows no mount namespace; use a folder that others may pass", path, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
