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
	switch in.Kind {
	case api.KindManifest:
		var m api.Manifest
		if api.Decode(in.Body, api.MaxEnvelope, &m) == nil {
			return fmt.Sprintf("version %d, components: %d", m.Version, len(m.Components))
		}
	case api.KindNode:
		var s api.NodeSettings
		if api.Decode(in.Body, api.MaxEnvelope, &s) == nil {
			return settingsText(s)
		}
	case api.KindSecret:
		var s api.Secret
		if api.Decode(in.Body, api.MaxEnvelope, &s) == nil {
			return fmt.Sprintf("%d bytes, sealed to members: %d", s.Bytes, len(s.Keys))
		}
	case api.KindVolume:
		var v api.Volume
		if api.Decode(in.Body, api.MaxEnvelope, &v) == nil {
			return volumeText(v)
		}
	case api.KindPin:
		if b, err := Pinned(in); err == nil {
			return fmt.Sprintf("keeps sha256 %s, %d bytes", b.SHA256.Short(), b.Size)
		}
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

func settingsText(s api.NodeSettings) string {
	var parts []string
	if s.Drain {
		parts = append(parts, "drained")
	}
	switch {
	case len(s.Roles) > 0:
		parts = append(parts, "roles "+strings.Join(s.Roles, " "))
	case s.Roles != nil:
		parts = append(parts, "no roles")
	}
	if len(parts) == 0 {
		return "as it is by itself"
	}
	return strings.Join(parts, ", ")
}
