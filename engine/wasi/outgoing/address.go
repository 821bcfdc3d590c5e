package outgoing

import (
	"net/netip"
	"slices"
)

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// globalV6 is where all public addresses of IPv6 are.
var globalV6 = netip.MustParsePrefix("2000::/3")

// setAside are addresses of no public host, from IANA's registries of special-purpose
// addresses. Those of IPv6 that hold one of IPv4 (6to4, Teredo) are among them, as that
// may be any; those outside of globalV6 need not be named.
var setAside = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// public reports whether a, of IPv4 if it can be, is of the public internet.
func public(a netip.Addr) bool {
	if !a.Is4() && !globalV6.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(setAside, func(p netip.Prefix) bool { return p.Contains(a) })
}
