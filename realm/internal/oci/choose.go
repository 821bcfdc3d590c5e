package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/realm-mesh/realm/api"
)

// What registries call programs and packages.
const (
	TypeConfig  = "application/vnd.wasm.config.v0+json"        // the config beside a TypeWasm
	TypeWasm    = "application/wasm"                           // a program: a core module or a component
	TypeWasmOld = "application/vnd.wasm.content.layer.v1+wasm" // a program, as older tools call it
	TypePackage = "application/vnd.realm.package.v1+zip"       // a package of Realm
	typeIndex   = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeImage   = "application/vnd.docker.distribution.manifest.v2+json"
)

const (
	maxManifest = 1 << 20 // bytes of a manifest or index
	maxLayers   = 64      // of a manifest
	maxEntries  = 256     // of an index
	// MaxOther caps what is no program, packages among it, in bytes.
	MaxOther = 1 << 30
)

// types are the media types of manifests that are asked for.
func types() []string {
	return []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, typeImage, typeIndex}
}

func isIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == typeIndex
}

// entry picks from an index the manifest that is for wasm.
func entry(text []byte) (ocispec.Descriptor, error) {
	var index ocispec.Index
	if err := json.Unmarshal(text, &index); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("its index is no JSON of one: %w", err)
	}
	if len(index.Manifests) > maxEntries {
		return ocispec.Descriptor{}, fmt.Errorf("its index has %d entries, and more than %d are not read: name one by @sha256:…", len(index.Manifests), maxEntries)
	}
	var fit []ocispec.Descriptor
	var seen []string
	for _, m := range index.Manifests {
		switch p := m.Platform; {
		case p == nil && len(index.Manifests) == 1, p != nil && forWasm(*p):
			fit = append(fit, m)
		case p != nil:
			seen = append(seen, clip(p.OS+"/"+p.Architecture))
		}
	}
	switch {
	case len(fit) == 1 && isIndex(fit[0].MediaType):
		return ocispec.Descriptor{}, errors.New("its index leads to another index: name the manifest by @sha256:…")
	case len(fit) == 1 && !named(fit[0]):
		return ocispec.Descriptor{}, fmt.Errorf("an entry of its index is not named by a sha256, but %q", clip(string(fit[0].Digest)))
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return ocispec.Descriptor{}, fmt.Errorf("%d of its entries are for wasm: name one by its digest, such as @%s", len(fit), clip(string(fit[0].Digest)))
	}
	return ocispec.Descriptor{}, fmt.Errorf("none of its entries is for wasm (it is for %s): push the .wasm file itself, as oras push and wkg oci push do", few(seen))
}

// forWasm reports whether a platform runs Wasm: "wasi/wasm", "wasip1/wasm", "wasip2/wasm".
func forWasm(p ocispec.Platform) bool {
	return p.Architecture == "wasm" && (p.OS == "" || strings.HasPrefix(p.OS, "wasi"))
}

// layer picks from a manifest the layer that is wanted.
func layer(text []byte) (ocispec.Descriptor, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("its manifest is no JSON of one: %w", err)
	}
	if len(m.Layers) > maxLayers {
		return ocispec.Descriptor{}, fmt.Errorf("its manifest has %d layers, and more than %d are not read", len(m.Layers), maxLayers)
	}
	for _, known := range []string{TypePackage, TypeWasm, TypeWasmOld} {
		var fit []ocispec.Descriptor
		for _, l := range m.Layers {
			if l.MediaType == known {
				fit = append(fit, l)
			}
		}
		if len(fit) > 1 {
			return ocispec.Descriptor{}, fmt.Errorf("%d of its layers are %s, and one is wanted: push each under a tag of its own", len(fit), known)
		}
		if len(fit) == 1 {
			return checked(fit[0])
		}
	}
	switch {
	case slices.ContainsFunc(m.Layers, func(l ocispec.Descriptor) bool { return strings.Contains(l.MediaType, ".tar") }):
		return ocispec.Descriptor{}, errors.New("it is an image of a container, and no program: push the .wasm file itself, as oras push and wkg oci push do")
	case len(m.Layers) != 1:
		return ocispec.Descriptor{}, fmt.Errorf("it has %d layers, and none of them is %s: push the .wasm file alone, as oras push and wkg oci push do", len(m.Layers), TypeWasm)
	}
	return checked(m.Layers[0])
}

// checked is l if it can be fetched.
func checked(l ocispec.Descriptor) (ocispec.Descriptor, error) {
	if !named(l) {
		return l, fmt.Errorf("its layer is not named by a sha256, but %q", clip(string(l.Digest)))
	}
	most := int64(MaxOther)
	if l.MediaType == TypeWasm || l.MediaType == TypeWasmOld {
		most = api.MaxModule
	}
	if l.Size < 0 || l.Size > most {
		return l, fmt.Errorf("its layer has %d bytes, and at most %d MiB are taken", l.Size, most>>20)
	}
	return l, nil
}

// named reports whether d names bytes by a digest that is understood.
func named(d ocispec.Descriptor) bool {
	return d.Digest.Validate() == nil && d.Digest.Algorithm() == digest.SHA256
}

// few lists some words for people.
func few(words []string) string {
	const most = 10
	switch n := len(words); {
	case n == 0:
		return "nothing that is named"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), n-most)
	}
	return strings.Join(words, ", ")
}

// clip makes a stranger's word fit to be shown.
func clip(s string) string {
	const most = 100
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}
