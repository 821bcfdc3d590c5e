package api

import (
	"errors"
	"fmt"
	"slices"
)

// Manifest is the body of a [KindManifest] intent: what a manifest asked for when
// it was last applied. The components themselves have intents of their own, signed
// with it; this tells which of them it looks after, and in which order it changed.
type Manifest struct {
	Version    uint64              `json:"version"` // of the person's file; never goes down
	Components []ManifestComponent `json:"components"`
}

// ManifestComponent is one component of a [Manifest].
type ManifestComponent struct {
	Name   Name   `json:"name"`
	Intent Digest `json:"intent"` // of the version that the manifest asked for
}

// MaxComponents is the most components of a manifest: with the longest names they fit
// an envelope, and so does the grant of who has signed it.
const MaxComponents = 256

// Validate implements [Validator].
func (m *Manifest) Validate() error {
	switch {
	case m.Version == 0 || m.Version > MaxSeq:
		return fmt.Errorf("manifest: version %d: want 1 or more", m.Version)
	case len(m.Components) > MaxComponents:
		return fmt.Errorf("manifest: %d components, at most %d", len(m.Components), MaxComponents)
	}
	for i, c := range m.Components {
		if _, err := ParseName(string(c.Name)); err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		if c.Intent.IsZero() {
			return fmt.Errorf("manifest: %s: intent is missing", c.Name)
		}
		if i > 0 && m.Components[i-1].Name >= c.Name {
			return errors.New("manifest: components are not in the order of their names, each once")
		}
	}
	return nil
}

// Component is the version of a component that m asks for.
func (m *Manifest) Component(n Name) (ManifestComponent, bool) {
	i, ok := slices.BinarySearchFunc(m.Components, n, func(c ManifestComponent, n Name) int {
		switch {
		case c.Name < n:
			return -1
		case c.Name > n:
			return 1
		}
		return 0
	})
	if !ok {
		return ManifestComponent{}, false
	}
	return m.Components[i], true
}

// NodeSettings is the body of a [KindNode] intent: what the owner wants of one
// member. A tombstone takes it back.
type NodeSettings struct {
	// Drain: the member runs nothing that can run elsewhere, and nothing new.
	Drain bool `json:"drain,omitempty"`
	// Roles are those that the member has, whatever its membership and its own
	// settings say; nil: they stand.
	Roles []string `json:"roles,omitzero"`
}

// Validate implements [Validator].
func (s *NodeSettings) Validate() error { return ValidateTags(s.Roles) }
