package tomlfile

import (
	"net/url"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/oci"
)

// SourceKind is where a program comes from.
type SourceKind int

// The kinds of sources.
const (
	File SourceKind = iota // a file on this machine
	URL                    // https:, and http: from this machine itself
	OCI                    // oci: what a registry has
	Blob                   // cas: what a node's store, or another member's, holds
)

// Source says where a program is.
type Source struct {
	Kind   SourceKind
	Text   string     // as the file says it
	Path   string     // of a File: found from the folder of the file that names it
	URL    *url.URL   // of a URL
	Ref    oci.Ref    // of an OCI
	SHA256 api.Digest // of a Blob
}

// PackageExt is how the names of packages end.
const PackageExt = ".realm"

// Package reports whether a source is by its name a package: a program with its settings
// and files. What it is its bytes tell.
func (s Source) Package() bool {
	return strings.EqualFold(path.Ext(s.Text), PackageExt) || s.URL != nil && strings.EqualFold(path.Ext(s.URL.Path), PackageExt)
}

// Source reads the text of f, which says where something is. dir is the folder of the
// file; file says to people what a path is to lead to: "the path of a .wasm file".
func (d *Document) Source(f Field, dir, file, text string) Source {
	s := Source{Text: text}
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) { // C:\ is a path
		s.Path = d.path(f, dir, file, text)
		return s
	}
	switch strings.ToLower(scheme) {
	case "cas":
		s.Kind = Blob
		var err error
		if s.SHA256, err = api.ParseDigest(strings.TrimPrefix(rest, "sha256:")); err != nil {
			d.Wrong(f.Value.At, "%s: want cas: and the 64 digits of the program's sha256", f.Key)
		}
	case "https", "http":
		s.Kind, s.URL = URL, d.url(f, text)
	case "oci":
		s.Kind = OCI
		var err error
		if s.Ref, err = oci.Parse(text); err != nil {
			d.Wrong(f.Value.At, "%s: %s", f.Key, err)
		}
	case "file":
		d.Wrong(f.Value.At, "%s: name the file without file:, by its path from the folder of this file", f.Key)
	default:
		d.Wrong(f.Value.At, "%s: %q is not known: want %s, an https: address, oci://HOST/REPO:TAG, or cas:SHA256", f.Key, Clip(scheme+":"), file)
	}
	return s
}

func (d *Document) path(f Field, dir, file, text string) string {
	if text == "" || strings.ContainsRune(text, 0) {
		d.Wrong(f.Value.At, "%s: want %s, an https: address, oci://HOST/REPO:TAG, or cas:SHA256", f.Key, file)
		return ""
	}
	path := filepath.FromSlash(text)
	if filepath.IsAbs(path) || runtime.GOOS == "windows" && strings.HasPrefix(path, `\`) {
		return path
	}
	return filepath.Join(dir, path)
}

func (d *Document) url(f Field, text string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		d.Wrong(f.Value.At, "%s: want an address such as https://example.org/web.wasm", f.Key)
	case u.User != nil:
		d.Wrong(f.Value.At, "%s: an address with a user or password is for nobody to see: serve the program without, or name a file", f.Key)
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		d.Wrong(f.Value.At, "%s: what comes over http: can be changed on its way: use https:", f.Key)
	default:
		return u
	}
	return nil
}

// Loopback reports whether host is this machine itself: http: is good enough then.
func Loopback(host string) bool {
	return oci.Loopback(host)
}
