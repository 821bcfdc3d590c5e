package diff

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// mountLeaves makes a field of each mount, by where it is seen: "mounts./data". ok is false
// where they are of a version that is not known.
func mountLeaves(out map[string]leaf, list []any) (ok bool) {
	all := map[string]leaf{}
	for _, v := range list {
		raw, err := json.Marshal(v)
		var m api.Mount
		if err != nil || json.Unmarshal(raw, &m) != nil || all["mounts."+m.Guest].raw != "" {
			return false
		}
		all["mounts."+m.Guest] = leaf{string(raw), MountText(m)}
	}
	for k, v := range all {
		out[k] = v
	}
	return true
}

// MountText is a mount for people, without where it is seen: "static, files 3f2a…".
func MountText(m api.Mount) string {
	var parts []string
	add := func(is bool, format string, args ...any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(m.Kind == api.MountHost, "host %s", m.Host)
	add(m.Kind == api.MountState, "state, volume %s", m.Volume)
	add(m.Kind != api.MountHost && m.Kind != api.MountState, "%s", m.Kind)
	add(m.SizeMB > 0, "%d MiB", m.SizeMB)
	if m.Files != nil {
		what := "files"
		if m.Kind == api.MountState {
			what = "seed"
		}
		add(true, "%s sha256 %s", what, m.Files.SHA256.Short())
	}
	add(m.RO, "read-only")
	return strings.Join(parts, ", ")
}
