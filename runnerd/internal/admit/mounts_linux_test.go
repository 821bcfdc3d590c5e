package admit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// TestOtherNamesOfWhatIsPrivate has what is private be reached by names that no link
// leads from: as on a file system that takes no notice of case.
func TestOtherNamesOfWhatIsPrivate(t *testing.T) {
	hosttest.Need(t, hosttest.Tmpfs)
	n, given, _ := hostFolders(t)
	user, twin := filepath.Join(filepath.Dir(given), "user"), filepath.Join(given, "twin")
	if err := os.Mkdir(twin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(user, twin, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(twin, 0); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"", "/realm", "/realm/keys"} {
		if _, err := n.Admit(component("w"), command(1, twin+name)); err == nil || !strings.Contains(err.Error(), "no program may see") {
			t.Errorf("%s: %v", twin+name, err)
		}
	}
	if _, err := n.Admit(component("w"), command(1, twin+"/photos")); err != nil {
		t.Error(err)
	}
}
