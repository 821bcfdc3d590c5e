package owner

import (
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// What says in a few words what an intent wants.
func What(in api.Intent) string {
	if in.Tombstone {
		return "removed"
	}
	w, err := in.Workload()
	if err != nil {
		return string(in.Kind)
	}
	parts := []string{fmt.Sprintf("sha256 %s", w.Program().Blob.Short())}
	if !w.Started() {
		parts = append([]string{"stopped"}, parts...)
	}
	return strings.Join(parts, ", ")
}
