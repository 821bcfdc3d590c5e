// Package hostcheck keeps web pages of other sites out of a local listener.
//
// A page may point a DNS name of its own at 127.0.0.1 and then read what the
// listener says, since to the browser both are one site ("DNS rebinding"). Such
// a request carries the foreign name in its Host header. Hence only names that no
// site can own are answered: localhost, names under it, loopback addresses, and
// the very address on which the connection came in.
package hostcheck

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/realm-mesh/realm/internal/kit/local"
)

// Allowed reports whether a listener may answer for host, the value of a Host
// header, on a connection to address on.
func Allowed(host string, on netip.Addr) bool {
	name, ok := hostname(host)
	if !ok {
		return false
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		addr = addr.Unmap().WithZone("")
		return addr.IsLoopback() || addr == on.Unmap().WithZone("") && !addr.IsUnspecified()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") && strings.Trim(name, nameDigits) == ""
}

const nameDigits = "abcdefghijklmnopqrstuvwxyz0123456789-_."

// hostname takes the port and the brackets of an IPv6 address off host.
func hostname(host string) (string, bool) {
	if in, bracketed := strings.CutPrefix(host, "["); bracketed {
		name, rest, closed := strings.Cut(in, "]")
		return name, closed && strings.Contains(name, ":") && isPort(rest)
	}
	name, port, _ := strings.Cut(host, ":")
	return name, name != "" && isPort(host[len(name):]) && !strings.Contains(port, ":")
}

// isPort reports whether s is empty or ":" and digits.
func isPort(s string) bool {
	digits, colon := strings.CutPrefix(s, ":")
	return s == "" || colon && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// Guard answers for the hosts that [Allowed] lets through and refuses the others.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		on := localAddr(r)
		if !Allowed(r.Host, on.Addr()) {
			local.WriteError(w, http.StatusMisdirectedRequest, fmt.Errorf(
				"this address does not answer for host %.80q: use http://localhost:%d or http://%s", r.Host, on.Port(), on))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localAddr is the address on which the connection of r came in.
func localAddr(r *http.Request) netip.AddrPort {
	if tcp, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), tcp.AddrPort().Port())
	}
	return netip.AddrPort{}
}
