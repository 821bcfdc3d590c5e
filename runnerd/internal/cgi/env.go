package cgi

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
)

// target is where a request goes below the mount of its component.
type target struct {
	script string // "/NAME"
	path   string // decoded, begins with a slash
	raw    string // the same, as the client escaped it
}

// variables are the meta-variables of RFC 3875, section 4.1, after those of the
// component's own, which they override. length is of the body, -1 for none.
func variables(own map[string]string, r *http.Request, t target, length int64) []engine.Var {
	host := r.Host
	if h := r.Header.Get("X-Forwarded-Host"); h != "" {
		host = h
	}
	secure := r.Header.Get("X-Forwarded-Proto") == "https"
	name, port := splitHost(host, secure)
	vars := map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1",
		"SERVER_SOFTWARE":   "realm/" + buildinfo.Version,
		"SERVER_PROTOCOL":   r.Proto,
		"SERVER_NAME":       name,
		"SERVER_PORT":       port,
		"REQUEST_METHOD":    r.Method,
		"REQUEST_URI":       requestURI(t, r.URL.RawQuery, r.URL.ForceQuery),
		"SCRIPT_NAME":       t.script,
		"PATH_INFO":         t.path,
		"QUERY_STRING":      r.URL.RawQuery,
		"REMOTE_ADDR":       remote(r),
		"HTTP_HOST":         host,
	}
	if secure {
		vars["HTTPS"] = "on"
	}
	if length >= 0 {
		vars["CONTENT_LENGTH"] = strconv.FormatInt(length, 10)
	}
	if ct := r.Header.Get("Content-Type"); ct != "" {
		vars["CONTENT_TYPE"] = ct
	}
	for name, values := range r.Header {
		if key, ok := headerVar(name); ok {
			vars[key] = strings.Join(values, separator(name))
		}
	}
	for name, value := range own {
		if _, taken := vars[name]; !taken {
			vars[name] = value
		}
	}
	out := make([]engine.Var, 0, len(vars))
	for name, value := range vars {
		out = append(out, engine.Var{Name: name, Value: value})
	}
	slices.SortFunc(out, func(a, b engine.Var) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func requestURI(t target, query string, force bool) string {
	if query != "" || force {
		return t.raw + "?" + query
	}
	return t.raw
}

// headerVar is the variable of a request header. Left out are those that have
// variables of their own, those that belong to one connection, "Proxy" (libraries
// take HTTP_PROXY for a setting), and names with '_', which would pass for others.
func headerVar(name string) (string, bool) {
	switch name {
	case "Content-Type", "Content-Length", "Host", "Proxy", "X-Forwarded-Host":
		return "", false
	}
	if hopByHop(name) || strings.HasPrefix(name, "Realm-") || strings.ContainsAny(name, "_=") {
		return "", false
	}
	return "HTTP_" + strings.ReplaceAll(strings.ToUpper(name), "-", "_"), true
}

// hopByHop reports whether a header is about one connection, not the message
// (RFC 9110, section 7.6.1).
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

func separator(name string) string {
	if name == "Cookie" {
		return "; "
	}
	return ", "
}

func splitHost(host string, secure bool) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	if secure {
		return host, "443"
	}
	return host, "80"
}

// remote is the client's address, as the gateway that took the request saw it.
func remote(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if ip := net.ParseIP(strings.TrimSpace(first)); ip != nil {
		return ip.String()
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return "127.0.0.1" // over the socket of this node
}
