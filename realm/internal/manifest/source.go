package manifest

import (
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// SourceKind is where a program comes from.
type SourceKind int

// The kinds of sources.
const (
	File SourceKind = iota // a file on this machine
	URL                    // https:, and http: from this machine itself
	Blob                   // cas: what a node's store, or another member's, holds
)

// Source says where a program is.
type Source struct {
	Kind   SourceKind
	Text   string     // as the file says it
	Path   string     // of a File: found from the folder of the manifest
	URL    *url.URL   // of a URL
	SHA256 api.Digest // of a Blob
}

// source reads what says where a program is. dir is the folder of the manifest.
func (d *document) source(f field, dir, text string) Source {
	s := Source{Text: text}
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) { // C:\ is a path
		s.Path = d.path(f, dir, text)
		return s
	}
	switch strings.ToLower(scheme) {
	case "cas":
		s.Kind = Blob
		var err error
		if s.SHA256, err = api.ParseDigest(strings.TrimPrefix(rest, "sha256:")); err != nil {
			d.wrong(f.value.at, "source: want cas: and the 64 digits of the program's sha256")
		}
	case "https", "http":
		s.Kind, s.URL = URL, d.url(f, text)
	case "oci":
		d.wrong(f.value.at, "source: a later version of realm reads container registries (oci:): until then name a file, an https: address, or cas:SHA256")
	case "file":
		d.wrong(f.value.at, "source: name the file without file:, by its path from the folder of this manifest")
	default:
		d.wrong(f.value.at, "source: %q is not known: want the path of a .wasm file, an https: address, or cas:SHA256", clip(scheme+":"))
	}
	return s
}

func (d *document) path(f field, dir, text string) string {
	switch {
	case text == "" || strings.ContainsRune(text, 0):
		d.wrong(f.value.at, "source: want the path of a .wasm file, an https: address, or cas:SHA256")
		return ""
	case strings.EqualFold(filepath.Ext(text), ".realm"):
		d.wrong(f.value.at, "source: a later version of realm reads packages (.realm): until then name the .wasm file")
		return ""
	}
	path := filepath.FromSlash(text)
	if filepath.IsAbs(path) || runtime.GOOS == "windows" && strings.HasPrefix(path, `\`) {
		return path
	}
	return filepath.Join(dir, path)
}

func (d *document) url(f field, text string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		d.wrong(f.value.at, "source: want an address such as https://example.org/web.wasm")
	case u.User != nil:
		d.wrong(f.value.at, "source: an address with a user or password is for nobody to see: serve the program without, or name a file")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		d.wrong(f.value.at, "source: what comes over http: can be changed on its way: use https:")
	default:
		return u
	}
	return nil
}

// Loopback reports whether host is this machine itself: http: is good enough then.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
