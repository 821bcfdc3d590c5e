package wasi

import (
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// FuzzTarget checks that a request goes to the authority that was set, and that nothing
// in its parts becomes another line of the request.
func FuzzTarget(f *testing.F) {
	f.Add("example.org:80", "/a?b")
	f.Add("[::1]:80", "?x")
	f.Add("a@b", "//c/d")
	f.Fuzz(func(t *testing.T, authority, path string) {
		if !validAuthority(authority) || !validPath(path) {
			return
		}
		r := &outgoingRequest{authority: authority, path: path, scheme: wit.Some(wit.Choice{})}
		u, err := r.target()
		if err != nil {
			return
		}
		if u.Host != authority || u.User != nil || u.Scheme != "http" || u.Fragment != "" {
			t.Errorf("%q and %q lead to %s", authority, path, u)
		}
		if strings.ContainsAny(u.RequestURI()+u.Host, "\r\n \x00") {
			t.Errorf("%q and %q make %q", authority, path, u.RequestURI())
		}
	})
}

func FuzzField(f *testing.F) {
	f.Add("content-type", []byte("text/plain"))
	f.Add("a\r\nb", []byte("c\r\n\r\nd"))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		if _, ok := checkField(name, value); !ok {
			return
		}
		if strings.ContainsAny(name, "\r\n: \x00") || strings.ContainsAny(string(value), "\r\n\x00") {
			t.Errorf("%q: %q was taken for a field", name, value)
		}
		s := &fieldSet{}
		s.add(name, value)
		if s.remove(name); s.bytes != 0 || len(s.list) != 0 {
			t.Errorf("%q is still there", name)
		}
	})
}
