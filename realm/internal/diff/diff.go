package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// Change is one field that differs.
type Change struct {
	Field string `json:"field"` // as realm.toml calls it: "replicas", "env.GREETING"
	From  string `json:"from"`  // "" for none, where there is no default
	To    string `json:"to"`
}

// String is a change for people: "replicas 2 -> 3".
func (c Change) String() string {
	return fmt.Sprintf("%s %s -> %s", c.Field, orNone(c.From), orNone(c.To))
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// Between lists what differs from one version to another, in the order of the fields'
// names, the program first. Neither may be a tombstone.
func Between(from, to api.Intent) []Change {
	return between(flatten(from.Target, from.Body), flatten(to.Target, to.Body))
}

// Of is [Between] for what is not signed yet.
func Of(from api.Intent, target api.Target, body api.Workload) ([]Change, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", from.Ref, err)
	}
	return between(flatten(from.Target, from.Body), flatten(target, raw)), nil
}

func between(from, to map[string]leaf) []Change {
	var out []Change
	fields := maps.Clone(from)
	maps.Copy(fields, to)
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		if a, b := from[f], to[f]; a.raw != b.raw {
			out = append(out, Change{Field: f, From: a.words(f), To: b.words(f)})
		}
	}
	slices.SortStableFunc(out, func(a, b Change) int {
		switch {
		case a.Field == FieldProgram:
			return -1
		case b.Field == FieldProgram:
			return 1
		}
		return 0
	})
	return out
}

// Fields that others ask for.
const (
	FieldProgram   = "program"
	FieldStart     = "start"
	FieldRestarted = "restarted"
)

// names are those of fields in realm.toml; the others are called as on the wire.
var names = map[string]string{
	"interface":                    "http",
	"program.blob":                 FieldProgram,
	"program.limits.memory_max_mb": "memory_max_mb",
	"program.limits.fuel":          "fuel",
	"program.limits.epoch_ms":      "epoch_ms",
	"stopped":                      FieldStart,
	"target.peers":                 "target_peer_ids",
	"target.tags":                  "target_tags",
}

// defaults are what a field that is left out says.
var defaults = map[string]string{
	"replicas": "every", "visibility": "local", FieldStart: "true", "restart": "on-failure",
	"memory_max_mb": "default", "fuel": "default", "epoch_ms": "default",
	"health.interval": "default", "health.timeout": "default", "health.failures": "default", "health.alive": "default",
	"update.order": "start-first", "update.max_unavailable": "default", "update.deadline": "default",
	"target_peer_ids": "all", "target_tags": "all",
}

// leaf is what a field says: what is compared, and what people are shown.
type leaf struct{ raw, text string }

func (l leaf) words(field string) string {
	if l.raw == "" {
		return defaults[field]
	}
	return l.text
}

// flatten makes a field of each leaf of a body, by its path; a list is one leaf.
func flatten(target api.Target, body []byte) map[string]leaf {
	out := map[string]leaf{}
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&fields) != nil {
		return map[string]leaf{"body": {string(body), fmt.Sprintf("%.80q", body)}} // another version's
	}
	delete(fields, "source")
	if p, ok := fields["program"].(map[string]any); ok {
		delete(p, "size") // the digest tells it
	}
	if mounts, ok := fields["mounts"].([]any); ok && mountLeaves(out, mounts) {
		delete(fields, "mounts")
	}
	leaves(out, "", fields)
	if len(target.Peers) > 0 {
		out["target_peer_ids"] = leaf{fmt.Sprint(target.Peers), peersText(target.Peers)}
	}
	if len(target.Tags) > 0 {
		out["target_tags"] = leaf{fmt.Sprint(target.Tags), strings.Join(target.Tags, ", ")}
	}
	return out
}

func leaves(out map[string]leaf, path string, v any) {
	if m, ok := v.(map[string]any); ok {
		for k, in := range m {
			leaves(out, strings.TrimPrefix(path+"."+k, "."), in)
		}
		return
	}
	name := path
	if known, ok := names[path]; ok {
		name = known
	}
	raw, err := json.Marshal(v)
	if err != nil {
		raw = fmt.Append(nil, v) // what was decoded can be encoded
	}
	out[name] = leaf{string(raw), text(path, v)}
}

// text is a leaf for people.
func text(path string, v any) string {
	switch v := v.(type) {
	case bool:
		return fmt.Sprint(v != (path == "stopped")) // what is stopped has start = false
	case string:
		if d, err := api.ParseDigest(v); err == nil && path == "program.blob" {
			return "sha256 " + d.Short()
		}
		if strings.HasPrefix(path, "env.") {
			return fmt.Sprintf("%q", v)
		}
		return v
	case []any:
		return listText(v)
	}
	return fmt.Sprint(v)
}

// listText is a list for people: of strings and of small tables.
func listText(list []any) string {
	var items []string
	for _, v := range list {
		switch v := v.(type) {
		case map[string]any:
			var parts []string
			for _, k := range slices.Sorted(maps.Keys(v)) {
				parts = append(parts, fmt.Sprintf("%s=%v", k, v[k]))
			}
			items = append(items, strings.Join(parts, " "))
		case string:
			items = append(items, fmt.Sprintf("%q", v))
		default:
			items = append(items, fmt.Sprint(v))
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func peersText(peers []api.PeerID) string {
	var out []string
	for _, p := range peers {
		out = append(out, "…"+p.Short())
	}
	return strings.Join(out, ", ")
}
