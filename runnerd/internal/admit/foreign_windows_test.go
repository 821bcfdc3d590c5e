package admit

import (
	"strings"
	"testing"
)

const foreignPath = "/srv/data"

func TestDrivePaths(t *testing.T) {
	n, given, _ := hostFolders(t)
	for _, host := range []string{strings.ToUpper(given), strings.ToLower(given), strings.ReplaceAll(given, `\`, "/")} {
		if _, err := n.Admit(component("w"), command(1, host)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := n.Admit(component("w"), command(1, "Q:"+given[2:])); err == nil {
		t.Error("the same path on another drive is given")
	}
}
