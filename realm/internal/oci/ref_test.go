package oci

import (
	"strings"
	"testing"
)

const digits = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"oci://ghcr.io/acme/web:1.0":                        "oci://ghcr.io/acme/web:1.0",
		"OCI://localhost:5000/web:latest":                   "oci://localhost:5000/web:latest",
		"oci://[::1]:5000/web:latest":                       "oci://[::1]:5000/web:latest",
		"oci://ghcr.io/acme/web@sha256:" + digits:           "oci://ghcr.io/acme/web@sha256:" + digits,
		"oci://ghcr.io/acme/web:1.0@sha256:" + digits:       "oci://ghcr.io/acme/web@sha256:" + digits,
		"oci://ghcr.io/acme/web":                            "!:TAG",
		"oci://ghcr.io/acme/web@sha256:12":                  "!64 digits",
		"oci://ghcr.io/acme/web@sha512:" + digits + digits:  "!sha256",
		"oci://ann:secret@ghcr.io/acme/web:1.0":             "!docker login",
		"oci://ghcr.io":                                     "!HOST/REPO",
		"oci://":                                            "!HOST/REPO",
		"oci:ghcr.io/acme/web:1":                            "!oci://HOST",
		"oci://ghcr.io/Acme/web:1":                          "!small letters",
		"oci://ghcr.io/../etc:1":                            "!HOST/REPO",
		"oci://ghcr.io/" + strings.Repeat("a", 2000) + ":1": "!longer",
		"oci://ghcr.io/acme/web:\x00":                       "!HOST/REPO",
	} {
		ref, err := Parse(text)
		bad, isBad := strings.CutPrefix(want, "!")
		switch {
		case isBad && (err == nil || !strings.Contains(err.Error(), bad) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%.60q: %v", text, err)
		case !isBad && (err != nil || ref.String() != want):
			t.Errorf("%q: %v, %v", text, ref, err)
		}
	}
	for host, local := range map[string]bool{"localhost:5000": true, "127.0.0.1": true, "[::1]:5000": true, "[::1]": true, "ghcr.io": false, "localhost.example.org": false, "127.0.0.1.example.org:80": false} {
		if ref, err := Parse(Scheme + host + "/web:1"); err != nil || ref.local() != local {
			t.Errorf("%s: %v, %v", host, ref.local(), err)
		}
	}
}

// What is read is written so that it is read likewise.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"oci://ghcr.io/acme/web:1.0", "oci://[::1]:5000/web@sha256:" + digits, "oci://a@b/c:d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(ref.String()); err != nil || again != ref {
			t.Errorf("%q -> %q -> %v, %v", text, ref, again, err)
		}
	})
}

// What strangers write is refused or has one layer, within its bounds.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"layers": [{"mediaType": "application/wasm", "digest": "sha256:` + digits + `", "size": 8}]}`))
	f.Add([]byte(`{"manifests": [{"digest": "sha256:` + digits + `", "platform": {"os": "wasi", "architecture": "wasm"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if l, err := layer(text); err == nil && (!named(l) || l.Size < 0 || l.Size > MaxOther) {
			t.Errorf("layer %+v", l)
		}
		if e, err := entry(text); err == nil && !named(e) {
			t.Errorf("entry %+v", e)
		}
	})
}
