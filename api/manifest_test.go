package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestValidateManifest(t *testing.T) {
	breaks(t, map[string]func(*Manifest){
		"version 0":             func(m *Manifest) { m.Version = 0 },
		"version 900719925474":  func(m *Manifest) { m.Version = MaxSeq + 1 },
		"257 components":        func(m *Manifest) { m.Components = make([]ManifestComponent, MaxComponents+1) },
		"name \"\"":             func(m *Manifest) { m.Components[0].Name = "" },
		"web: intent is miss":   func(m *Manifest) { m.Components[1].Intent = Digest{} },
		"in the order of":       func(m *Manifest) { slices.Reverse(m.Components) },
		"in the order of|twice": func(m *Manifest) { m.Components[1].Name = m.Components[0].Name },
	})
	if err := (&Manifest{Version: 1}).Validate(); err != nil {
		t.Errorf("a manifest that has dropped everything: %v", err)
	}
	breaks(t, map[string]func(*NodeSettings){
		"tag":     func(s *NodeSettings) { s.Roles = []string{"no tag"} },
		"33 tags": func(s *NodeSettings) { s.Roles = make([]string, maxTags+1) },
	})
}

func TestManifestComponent(t *testing.T) {
	m := Manifest{Version: 1}
	for _, n := range []Name{"a", "b-1", "b_1", "c", "zz"} {
		m.Components = append(m.Components, ManifestComponent{n, Sum([]byte(n))})
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, want := range m.Components {
		if got, ok := m.Component(want.Name); !ok || got != want {
			t.Errorf("%s: %+v, %v", want.Name, got, ok)
		}
	}
	for _, n := range []Name{"", "0", "b", "b-2", "zzz"} {
		if got, ok := m.Component(n); ok || got != (ManifestComponent{}) {
			t.Errorf("%q: %+v, %v", n, got, ok)
		}
	}
}

// Settings that say nothing of roles, and those that take them all, are not the same
// on the wire.
func TestNoRoles(t *testing.T) {
	for text, roles := range map[string][]string{`{}`: nil, `{"roles":[]}`: {}} {
		b, err := json.Marshal(&NodeSettings{Roles: roles})
		if err != nil || string(b) != text {
			t.Errorf("%v is %s, %v", roles, b, err)
		}
		var s NodeSettings
		if err := Decode(b, len(b), &s); err != nil || (s.Roles == nil) != (roles == nil) {
			t.Errorf("%s: %#v, %v", b, s.Roles, err)
		}
	}
}

// Manifests are the only intents about no program whose name anybody chooses; they
// may be as large as an envelope, and are for every member.
func TestValidateManifestIntent(t *testing.T) {
	in := Intent{Realm: someRealm, Ref: Ref{KindManifest, "shop"}, Seq: 1, Issued: time.Unix(0, 0).UTC(), Body: message[Manifest](t)}
	if err := in.Validate(); err != nil {
		t.Fatal(err)
	}
	if !KindManifest.Known() || KindManifest.Trust() || KindManifest.Workload() || KindManifest.Right() != RightPush {
		t.Error("a manifest is taken for something else")
	}
	if !KindNode.Known() || KindNode.Trust() || KindNode.Workload() || KindNode.Right() != "" {
		t.Error("settings of a node are taken for something else")
	}
	for text, change := range map[string]func(*Intent){
		"has no target":   func(i *Intent) { i.Target.Tags = []string{"edge"} },
		"does not expire": func(i *Intent) { i.Expires = i.Issued },
		"too large":       func(i *Intent) { i.Body = slices.Repeat([]byte(" "), MaxEnvelope+1) },
		"unknown field":   func(i *Intent) { i.Body = json.RawMessage(`{"version":1,"x":1}`) },
		"EOF":             func(i *Intent) { i.Body = nil },
	} {
		bad := in
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := in.Workload(); err == nil {
		t.Error("a manifest is a program")
	}
	in.Tombstone, in.Body = true, nil
	if err := in.Validate(); err != nil {
		t.Errorf("a tombstone: %v", err)
	}
}
