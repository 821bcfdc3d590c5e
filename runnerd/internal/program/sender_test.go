package program

import (
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// FuzzGrants: what the owner's side takes for a grant is one to who acts on it, or a node
// would refuse what was signed.
func FuzzGrants(f *testing.F) {
	for _, s := range []string{"example.org", "*.example.org:8443", "https://example.org", "*", "*:*", "a=private", "localhost:3000", "192.0.2.1:80",
		"[2001:db8::1]:443", "2001:db8::1", "10.0.0.0/8:8080", "fd00::/8", "", "a..b", "a:0", "ftp://a", "10.0.0.1=private", "https://a/b", "[a]:1", "::1%eth0", "[::1", "a]:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		here := api.ValidateAllowHosts([]string{s})
		_, release, there := NewSender([]string{s})
		release()
		if here == nil && there != nil {
			t.Errorf("%q is signed, and refused by nodes: %v", s, there)
		}
		if here != nil && there == nil && len(s) <= 253 && !strings.ContainsAny(s, "\x00") {
			t.Errorf("%q is refused, although nodes would act on it: %v", s, here)
		}
	})
}
