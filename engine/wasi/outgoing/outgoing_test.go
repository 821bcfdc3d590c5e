package outgoing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/wasi"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGrants(t *testing.T) {
	for _, c := range []struct {
		grant, url string
		want       bool
	}{
		{"example.org", "http://example.org/", true},
		{"example.org", "https://EXAMPLE.org:443/", true},
		{"example.org", "https://example.org.:443/", true},
		{"example.org", "https://example.org:8443/", false},
		{"example.org", "http://www.example.org/", false},
		{"example.org", "http://example.org.evil.test/", false},
		{"example.org:8443", "https://example.org:8443/", true},
		{"example.org:8443", "https://example.org/", false},
		{"example.org:443", "https://example.org/", true},
		{"example.org:*", "https://example.org:1/", true},
		{"https://example.org", "https://example.org/", true},
		{"https://example.org", "http://example.org/", false},
		{"*.example.org", "http://a.b.example.org/", true},
		{"*.example.org", "http://example.org/", false},
		{"*.example.org", "http://badexample.org/", false},
		{"*", "http://anything.test/", true},
		{"*", "http://192.0.2.1/", true},
		{"192.0.2.1", "http://192.0.2.1/", true},
		{"192.0.2.1", "http://[::ffff:192.0.2.1]/", true},
		{"192.0.2.1", "http://192.0.2.2/", false},
		{"10.0.0.0/8", "http://10.1.2.3/", true},
		{"10.0.0.0/8:8080", "http://10.1.2.3:8080/", true},
		{"10.0.0.0/8", "http://10.1.2.3:8080/", false},
		{"10.0.0.0/8", "http://name.test/", false},
		{"[2001:db8::1]:8080", "http://[2001:db8::1]:8080/", true},
		{"2001:db8::/32", "http://[2001:db8::2]/", true},
	} {
		g, err := parseGrant(c.grant)
		if err != nil {
			t.Errorf("%s: %v", c.grant, err)
			continue
		}
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if g.covers(u) != c.want {
			t.Errorf("%s covers %s: %v, want %v", c.grant, c.url, !c.want, c.want)
		}
	}
	for _, bad := range []string{"", "ftp://x", "x y", "x:0", "x:99999", "x:port", "a..b", "x=public", "10.0.0.1=private", "user@host", "*x", "a.*.b", "10.0.0.0/99", "x/y", "http://"} {
		if _, err := New(Config{Allow: []string{bad}}); err == nil {
			t.Errorf("%q was taken for a grant", bad)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		grant, address string
		want           bool
	}{
		{"*", "93.184.216.34", true}, {"*", "2606:2800:220:1::1", true},
		{"*", "127.0.0.1", false}, {"*", "::1", false}, {"*", "::ffff:127.0.0.1", false},
		{"*", "10.0.0.1", false}, {"*", "172.31.0.1", false}, {"*", "192.168.0.1", false}, {"*", "fd00::1", false},
		{"*", "169.254.169.254", false}, {"*", "fe80::1", false}, {"*", "fe80::1%eth0", false},
		{"*", "100.64.0.1", false}, {"*", "0.0.0.0", false}, {"*", "::", false}, {"*", "255.255.255.255", false},
		{"*", "224.0.0.1", false}, {"*", "ff02::1", false}, {"*", "64:ff9b::7f00:1", false}, {"*", "2002:7f00:1::", false},
		{"*", "::127.0.0.1", false}, {"*", "198.18.0.1", false}, {"*", "2001::1", false},
		{"x=private", "127.0.0.1", true}, {"x=private", "10.0.0.1", true}, {"x=private", "100.64.0.1", true},
		{"x=private", "fd00::1", true}, {"x=private", "169.254.169.254", false}, {"x=private", "224.0.0.1", false},
		{"x=private", "0.0.0.0", false}, {"localhost", "127.0.0.1", true},
		{"169.254.169.254", "169.254.169.254", true}, {"169.254.169.254", "169.254.169.253", false},
		{"10.0.0.0/8", "10.0.0.1", true}, {"224.0.0.0/4", "224.0.0.1", false},
	} {
		g, err := parseGrant(c.grant)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.allows(netip.MustParseAddr(c.address)); got != c.want {
			t.Errorf("%s leads to %s: %v", c.grant, c.address, got)
		}
	}
}

func FuzzGrant(f *testing.F) {
	for _, s := range []string{"https://*.example.org:443=private", "10.0.0.0/8:1", "[::1]:2", "*"} {
		f.Add(s, "http://127.0.0.1/")
	}
	f.Fuzz(func(t *testing.T, s, to string) {
		g, err := parseGrant(s)
		if err != nil {
			return
		}
		if g.name != "" && g.allows(netip.MustParseAddr("169.254.169.254")) {
			t.Errorf("the name %q leads to a link-local address", s)
		}
		if u, err := url.Parse(to); err == nil && u.Host != "" {
			g.covers(u)
		}
	})
}

// send sends a GET request and returns the code of its error.
func send(t *testing.T, s *Sender, url string) (wasi.HTTPCode, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Send(req, wasi.Timeouts{})
	if err == nil {
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
	}
	var failure *wasi.HTTPError
	if err != nil && !errors.As(err, &failure) {
		t.Fatalf("send to %s: %v, which is no HTTPError", url, err)
	}
	if err == nil {
		return 0, nil
	}
	return failure.Code, err
}

// What a name means is looked at when it is connected to: localhost stands here for a
// name of somebody's that has come to mean something else.
func TestSendLooksAtTheAddress(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	to := "http://localhost:" + port + "/"
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1")
	for grant, want := range map[string]error{"*:*": ErrIPProhibited, "other.test:*": ErrRequestDenied, "localhost:*": nil, "*:*=private": nil} {
		s, err := New(Config{Allow: []string{grant}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := send(t, s, to); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", grant, err, want)
		}
		s.Close()
	}
}

func TestSendTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer plain.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	for _, c := range []struct {
		name, url string
		tls       *tls.Config
		want      wasi.HTTPCode
		fails     bool
	}{
		{"trusted", srv.URL, &tls.Config{RootCAs: pool}, 0, false},
		{"unknown", srv.URL, nil, wasi.TLSCertificateError, true},
		{"other name", srv.URL, &tls.Config{RootCAs: pool, ServerName: "other.test"}, wasi.TLSCertificateError, true},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), nil, wasi.TLSProtocolError, true},
		{"old", srv.URL, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, wasi.TLSAlertReceived, true},
	} {
		s, err := New(Config{Allow: []string{"127.0.0.1:*"}, TLS: c.tls})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := send(t, s, c.url); got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: code %d, %v; want %d", c.name, got, err, c.want)
		}
		s.Close()
	}
}

func TestExplainDNS(t *testing.T) {
	for _, c := range []struct {
		err  error
		want wasi.HTTPCode
	}{
		{&net.DNSError{IsNotFound: true}, wasi.DNSError},
		{&net.DNSError{IsTimeout: true}, wasi.DNSTimeout},
		{&net.DNSError{IsTemporary: true}, wasi.DNSError},
		{errors.New("something"), wasi.InternalError},
	} {
		var failure *wasi.HTTPError
		if err := explain(&net.OpError{Op: "dial", Err: c.err}); !errors.As(err, &failure) || failure.Code != c.want {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
