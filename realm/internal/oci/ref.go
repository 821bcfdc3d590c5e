package oci

import (
	"errors"
	"fmt"
	"net"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry"
)

// Scheme is what references begin with.
const Scheme = "oci://"

// maxRef caps a reference, in bytes.
const maxRef = 1024

// Ref names what a registry has. The zero Ref names nothing.
type Ref struct{ at registry.Reference }

// Is reports whether text is meant to be a reference.
func Is(text string) bool {
	return len(text) >= len(Scheme) && strings.EqualFold(text[:len(Scheme)], Scheme)
}

// Parse reads oci://HOST/REPO:TAG or oci://HOST/REPO@sha256:DIGEST. A digest counts
// where both are there. Its errors go on after what was read and a colon.
func Parse(text string) (Ref, error) {
	switch {
	case !Is(text):
		return Ref{}, errors.New("want oci://HOST/REPO:TAG, or @sha256:… in the place of :TAG")
	case len(text) > maxRef:
		return Ref{}, fmt.Errorf("it is longer than %d bytes", maxRef)
	}
	host, _, _ := strings.Cut(text[len(Scheme):], "/")
	at, err := registry.ParseReference(text[len(Scheme):])
	switch {
	case strings.Contains(host, "@"):
		return Ref{}, errors.New("a name or password is for nobody to see: leave it out, and say docker login HOST")
	case err != nil:
		return Ref{}, errors.New("want oci://HOST/REPO:TAG, in small letters, or @sha256: and 64 digits in the place of :TAG")
	case at.Reference == "":
		return Ref{}, errors.New("which of it? Say :TAG, as in oci://HOST/REPO:1.2, or @sha256:…")
	}
	if d, err := at.Digest(); err == nil && d.Algorithm() != digest.SHA256 {
		return Ref{}, fmt.Errorf("digests are sha256 here, not %.20s", d.Algorithm())
	}
	return Ref{at}, nil
}

// String is the reference as it is written.
func (r Ref) String() string {
	sign := ":"
	if r.Pinned() {
		sign = "@"
	}
	return r.repository() + sign + r.at.Reference
}

// Base is a short name for people: the last part of the repository.
func (r Ref) Base() string { return path.Base(r.at.Repository) }

func (r Ref) repository() string { return Scheme + r.at.Registry + "/" + r.at.Repository }

// Pinned reports whether r names bytes, and not a tag.
func (r Ref) Pinned() bool { return strings.Contains(r.at.Reference, ":") }

// local reports whether the registry is on this machine itself.
func (r Ref) local() bool { return Loopback(hostname(r.at.Registry)) }

// hostname is host without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// Loopback reports whether host is this machine itself: http: is good enough then.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
