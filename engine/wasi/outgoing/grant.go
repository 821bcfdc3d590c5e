package outgoing

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// grant is where guests may go.
type grant struct {
	scheme  string       // empty: both
	name    string       // in lower case; "*" any, "*.x" below x; empty: there are addresses
	from    netip.Prefix // the addresses
	port    string       // empty: the scheme's; "*": any
	private bool
}

// parseGrant parses a grant.
func parseGrant(s string) (grant, error) {
	wrong := func(why string) (grant, error) {
		return grant{}, fmt.Errorf("parse grant %q: %s; write [scheme://]host[:port][=private]", s, why)
	}
	var g grant
	rest, mark, marked := strings.Cut(s, "=")
	if g.private = marked; marked && mark != "private" {
		return wrong("the only mark is =private")
	}
	if scheme, host, ok := strings.Cut(rest, "://"); ok {
		if g.scheme, rest = strings.ToLower(scheme), host; g.scheme != "http" && g.scheme != "https" {
			return wrong("the scheme is http or https")
		}
	}
	host := rest
	if p, ok := prefix(rest); ok {
		g.from = p
	} else {
		host, g.port = splitPort(rest)
		g.from, _ = prefix(host)
		if n, err := strconv.ParseUint(g.port, 10, 16); g.port != "" && g.port != "*" && (err != nil || n == 0) {
			return wrong("the port is a number, or *")
		}
	}
	switch {
	case g.from.IsValid() && g.private:
		return wrong("addresses need no mark")
	case g.from.IsValid():
		return g, nil
	case !validName(host):
		return wrong("the host is a name, *.name, *, an address or a range of addresses")
	}
	g.name = canonical(host)
	g.private = g.private || g.name == "localhost"
	return g, nil
}

// prefix is the range of addresses that s is.
func prefix(s string) (netip.Prefix, bool) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

// splitPort splits a host and a port, of which there may be none.
func splitPort(s string) (host, port string) {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return host, port
	}
	if at := strings.LastIndex(s, ":"); strings.Contains(s, "/") && at > strings.Index(s, "/") {
		return s[:at], s[at+1:] // a range, and a port
	}
	return s, ""
}

func validName(s string) bool {
	if s == "*" {
		return true
	}
	name := strings.TrimPrefix(s, "*.")
	return len(name) <= 253 && !slices.ContainsFunc(strings.Split(strings.TrimSuffix(name, "."), "."), func(label string) bool {
		return label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
		})
	})
}

// canonical is a name as all names are compared.
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// covers reports whether the grant is one for u.
func (g grant) covers(u *url.URL) bool {
	port := u.Port()
	standard := port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443"
	switch {
	case g.scheme != "" && g.scheme != u.Scheme:
		return false
	case g.port == "" && !standard:
		return false
	case g.port != "" && g.port != "*" && g.port != portOf(u):
		return false
	}
	host := canonical(u.Hostname())
	if a, err := netip.ParseAddr(host); err == nil {
		return g.name == "*" || g.from.IsValid() && g.from.Contains(a.Unmap().WithZone(""))
	}
	below, wild := strings.CutPrefix(g.name, "*.")
	return g.name == "*" || g.name != "" && g.name == host || wild && strings.HasSuffix(host, "."+below)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// allows reports whether the grant leads to an address.
func (g grant) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	switch {
	case a.IsMulticast():
		return false
	case g.from.IsValid():
		return g.from.Contains(a)
	}
	return public(a) || g.private && (a.IsPrivate() || a.IsLoopback() || carrierNAT.Contains(a))
}
