package native

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// WorkRoot is the folder for the working folders of executions: inside, where the machine
// hides everything else from programs by a mount namespace, or has no users of their own
// for them. Else a program must be able to reach its folder by its path, which the home of
// a node does not let: then it is one in the system's temporary folder, of the same name
// for the same inside, made if need be.
func WorkRoot(m Confinement, inside string) (string, error) {
	if !needsPassing(m) {
		if err := os.MkdirAll(inside, 0o700); err != nil {
			return "", fmt.Errorf("make the folder of executions: %w", err)
		}
		return inside, nil
	}
	sum := sha256.Sum256([]byte(inside))
	dir := filepath.Join(os.TempDir(), "realm-work-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(os.TempDir(), 0o1777); err != nil { // a small container has none
		return "", fmt.Errorf("make the folder of executions: %w", err)
	}
	err := os.Mkdir(dir, 0o711)
	if err != nil && !os.IsExist(err) {
		return "", fmt.Errorf("make the folder of executions: %w", err)
	}
	if err := trusted(dir); err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}
