package api

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	maxAllowHosts = 64
	maxHostGrant  = 300 // bytes
	maxHostName   = 253 // likewise, as DNS has it
)

// Errors of grants of hosts: what is wrong with them.
var (
	errGrantMark   = errors.New("what follows = can only be private")
	errGrantScheme = errors.New("the scheme is http or https")
	errGrantPort   = errors.New("the port is 1 to 65535, or * for any")
	errGrantHost   = errors.New("the host is a name, *.NAME for all below it, * for any, an address, or a range of addresses")
	errGrantRange  = errors.New("addresses need no =private: they are reached as they are written")
	errGrantPath   = errors.New("hosts are granted as a whole: leave out what follows the host")
)

// ValidateAllowHosts checks where a program may send requests to: each is
// [SCHEME://]HOST[:PORT][=private].
func ValidateAllowHosts(hosts []string) error {
	if len(hosts) > maxAllowHosts {
		return fmt.Errorf("%d allow_hosts: at most %d", len(hosts), maxAllowHosts)
	}
	for _, h := range hosts {
		if err := checkGrant(h); err != nil {
			return fmt.Errorf("allow_hosts: %.80q: %w: want HOST or HOST:PORT, as in api.example.org, *.example.org:8443, https://example.org or 10.0.0.0/8", h, err)
		}
	}
	return nil
}

// checkGrant follows the grammar of who acts on grants, package engine/wasi/outgoing: what
// passes here is not refused there.
func checkGrant(s string) error {
	rest, mark, private := strings.Cut(s, "=")
	if private && mark != "private" {
		return errGrantMark
	}
	if scheme, host, ok := strings.Cut(rest, "://"); ok {
		if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
			return errGrantScheme
		}
		rest = host
	}
	host, port := rest, ""
	if !isAddresses(rest) {
		host, port = splitGrant(rest)
	}
	switch {
	case len(s) > maxHostGrant:
		return errGrantHost
	case port != "" && !isGrantPort(port):
		return errGrantPort
	case isAddresses(host) && private:
		return errGrantRange
	case isAddresses(host) || isHostName(host):
		return nil
	case strings.Contains(host, "/"):
		return errGrantPath
	}
	return errGrantHost
}

// isAddresses reports whether s is an address or a range of addresses.
func isAddresses(s string) bool {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	_, one := netip.ParseAddr(s)
	_, many := netip.ParsePrefix(s)
	return one == nil || many == nil
}

// splitGrant splits a host, or a range of addresses, and a port, of which there may be none.
func splitGrant(s string) (host, port string) {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return host, port
	}
	if slash, colon := strings.Index(s, "/"), strings.LastIndex(s, ":"); slash >= 0 && colon > slash {
		return s[:colon], s[colon+1:]
	}
	return s, ""
}

func isGrantPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "*" || err == nil && n > 0
}

// isHostName reports whether s is a name, *, or *. before a name.
func isHostName(s string) bool {
	if s == "*" {
		return true
	}
	name := strings.TrimPrefix(s, "*.")
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	return len(name) <= maxHostName && !slices.ContainsFunc(labels, func(l string) bool { return l == "" || strings.ContainsFunc(l, notInName) })
}

func notInName(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
}
