package native

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// Clean kills and removes what an execution has left whose shim is gone.
func (s State) Clean() error {
	if s.Init > 1 && s.Began != 0 && confine.Began(s.Init) == s.Began {
		confine.KillChildren(s.Init)
		_ = unix.Kill(s.Init, unix.SIGKILL) // it may have ended
	}
	s.Groups.Kill()
	if s.User == 0 && s.Assets != "" && s.Assets != confine.AssetsDir {
		confine.KillMarked(EnvAssets + "=" + s.Assets)
	}
	var errs []error
	if s.User > 0 {
		errs = append(errs, confine.KillUser(s.User), confine.Own(s.WorkDir, os.Getuid(), os.Getgid()))
	}
	errs = append(errs, s.Groups.Remove())
	for _, dir := range s.Temporary {
		errs = append(errs, os.RemoveAll(dir))
	}
	if s.User > 0 {
		confine.Forget(s.User)
	}
	return errors.Join(errs...)
}
