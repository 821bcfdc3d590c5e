package addr

import (
	"strings"
	"testing"
)

const peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string // part of the error; "" for none
	}{
		{"/ip4/192.0.2.7/udp/4001/quic-v1/p2p/" + peer, ""},
		{"/ip6/2001:db8::1/tcp/4001/p2p/" + peer, ""},
		{"/dns4/node.example.org/udp/4001/quic-v1/p2p/" + peer, ""},
		{"/dns/node.example.org/tcp/4001/p2p/" + peer, ""},
		{"/dnsaddr/example.org/p2p/" + peer, ""},

		{"", "begins with a slash"},
		{"192.0.2.7:4001", "begins with a slash"},
		{"/ip4/192.0.2.7/udp/4001/quic-v1", "copy the whole line"},
		{"/p2p/" + peer, "copy the whole line"},
		{"/ip4/192.0.2.7/udp/4001/quic-v1/p2p/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", "52 base58 characters"},
		{"/ip4/192.0.2.7/udp/4001/quic-v1/p2p/" + peer[:51], "52 base58 characters"},
		{"/ip4/192.0.2.7/udp/4001/quic-v1/p2p/" + peer + "/tcp/1", "52 base58 characters"},
		{"/ip4/300.0.2.7/tcp/4001/p2p/" + peer, "300.0.2.7"},
		{"/ip4/192.0.2.7/tcp/70000/p2p/" + peer, "70000"},
		{"/ip4/192.0.2.7/udp/4001/p2p/" + peer, "quic-v1"},
		{"/ip4/192.0.2.7/tcp/4001/ws/p2p/" + peer, "want a host"},
		{"/ip4/192.0.2.7/p2p/" + peer, "want a host"},
		{"/tcp/4001/p2p/" + peer, "want a host"},
		{"/dnsaddr/example.org/tcp/4001/p2p/" + peer, "want a host"},
		{"/nonsense/1/p2p/" + peer, "nonsense"},
		{"//p2p/" + peer, "address"},
	} {
		err := Check(c.in)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("Check(%q): %v", c.in, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("Check(%q) = %v, want an error with %q", c.in, err, c.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("/ip4/192.0.2.7/udp/4001/quic-v1/p2p/" + peer)
	f.Add("/dnsaddr/example.org/p2p/" + peer)
	f.Add("//p2p/")
	f.Fuzz(func(t *testing.T, s string) {
		if Check(s) == nil && !strings.Contains(s, "/p2p/12D3KooW") {
			t.Fatalf("%q passed without a peer id", s)
		}
	})
}
