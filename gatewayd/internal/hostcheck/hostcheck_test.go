package hostcheck_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/hostcheck"
)

func TestAllowed(t *testing.T) {
	loop, lan, six := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.168.7.2"), netip.MustParseAddr("fe80::1%eth0")
	for _, c := range []struct {
		host string
		on   netip.Addr
		want bool
	}{
		{"localhost", loop, true},
		{"localhost:8080", loop, true},
		{"LocalHost:1", loop, true},
		{"localhost.", loop, true},
		{"hello.localhost:8080", lan, true},
		{"127.0.0.1", loop, true},
		{"127.0.0.1:8080", loop, true},
		{"127.9.9.9:8080", loop, true},
		{"127.0.0.1", lan, true}, // through a forwarded port
		{"[::1]:8080", loop, true},
		{"[::1]", loop, true},
		{"[::ffff:127.0.0.1]:80", loop, true},
		{"192.168.7.2:8080", lan, true},
		{"[::ffff:192.168.7.2]", lan, true},
		{"[fe80::1]:8080", six, true},
		{"[fe80::1%25eth0]:8080", six, true},

		{"", loop, false},
		{":8080", loop, false},
		{"evil.example", loop, false},
		{"evil.example:8080", loop, false},
		{"localhost.evil.example", loop, false},
		{"evillocalhost", loop, false},
		{".evil.example", loop, false},
		{"127.0.0.1.evil.example", loop, false},
		{"127.0.0.1:8080.evil.example", loop, false},
		{"localhost:8080@evil.example", loop, false},
		{"evil.example#.localhost:x", loop, false},
		{"192.168.7.2", loop, false},   // not where the connection came in
		{"192.168.7.3:80", lan, false}, // another machine
		{"0.0.0.0:8080", netip.IPv4Unspecified(), false},
		{"[::]:8080", loop, false},
		{"::1", loop, false}, // an IPv6 address needs brackets
		{"[::1", loop, false},
		{"[localhost]", loop, false},
		{"[::1]x", loop, false},
		{"localhost:", loop, false},
		{"localhost:80a", loop, false},
		{"127.1", loop, false}, // short forms are resolved as names
		{"2130706433", loop, false},
		{"0177.0.0.1", loop, false},
		{"localhost..", loop, false},
		{" .localhost", loop, false},
		{"evil.example/.localhost", loop, false},
	} {
		if got := hostcheck.Allowed(c.host, c.on); got != c.want {
			t.Errorf("%q on %s: %v, want %v", c.host, c.on, got, c.want)
		}
	}
}

func TestGuard(t *testing.T) {
	srv := httptest.NewServer(hostcheck.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})))
	defer srv.Close()
	for host, want := range map[string]int{
		"":                 http.StatusNoContent, // that of the URL
		"localhost":        http.StatusNoContent,
		"a.localhost:8080": http.StatusNoContent,
		"rebound.example":  http.StatusMisdirectedRequest,
	} {
		req, _ := http.NewRequest(http.MethodGet, srv.URL, nil)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("host %q: %s, want %d", host, resp.Status, want)
		}
		if want != http.StatusMisdirectedRequest {
			continue
		}
		var e api.ErrorReply
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
		if !strings.Contains(e.Error, host) || !strings.Contains(e.Error, "http://localhost:"+port) {
			t.Errorf("the refusal does not say what to do: %s", e.Error)
		}
	}
}

func FuzzAllowed(f *testing.F) {
	for _, s := range []string{"localhost:8080", "[::1]:80", "a.localhost", "127.0.0.1", "evil.example", "[::ffff:10.0.0.1]", "x:y:z", "[fe80::1%25en0]"} {
		f.Add(s)
	}
	on := netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, host string) {
		if !hostcheck.Allowed(host, on) {
			return
		}
		// Whatever is let through must be read by a URL parser as one of the names
		// that no site can own.
		u, err := url.Parse("http://" + host + "/")
		if err != nil {
			if strings.Contains(host, "%") && strings.HasPrefix(host, "[") { // a zone that is not escaped
				return
			}
			t.Fatalf("%q is let through, and is no host: %v", host, err)
		}
		name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if name == "localhost" || strings.HasSuffix(name, ".localhost") {
			return
		}
		ip, err := netip.ParseAddr(name)
		if err != nil || !ip.Unmap().IsLoopback() && ip.Unmap() != on && ip.WithZone("").Unmap() != on {
			t.Fatalf("%q is let through; it means %q", host, u.Hostname())
		}
	})
}
