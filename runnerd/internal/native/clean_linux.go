package native

import (
	"errors"
	"os"

	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// Clean kills and removes what an execution has left whose shim is gone.
func (s State) Clean() error {
	var errs []error
	if s.Init > 1 && s.Began != 0 {
		if confine.Began(s.Init) == s.Began {
			confine.KillChildren(s.Init)
		}
		if err := confine.KillAwait(s.Init, s.Began, endPatience); err != nil {
			errs = append(errs, err)
		}
	}
	s.Groups.Kill()
	if s.User == 0 && s.Assets != "" && s.Assets != confine.AssetsDir {
		confine.KillMarked(EnvAssets + "=" + s.Assets)
	}
	if s.User > 0 {
		errs = append(errs, confine.KillUser(s.User, endPatience), confine.Own(s.WorkDir, os.Getuid(), os.Getgid()))
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
