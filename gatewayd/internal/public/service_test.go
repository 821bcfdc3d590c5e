package public_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// service has members say that a job is ready on them.
func (w *world) service(job api.Name, on ...api.PeerID) {
	for i, p := range on {
		rec := api.JobRecord{Root: api.Sum([]byte(job)), Job: job, Run: api.NewRunKey(time.Time{}, i), Epoch: 1, Peer: p, State: api.ExecRunning, Ready: true}
		w.book.PutRecord(api.KeyRecord(rec.Exec()), &rec)
	}
	w.live.Set(w.book.Table(time.Now()))
}

// program answers for a runnerd whose services say what they see, and echo what is sent
// after an upgrade.
func program() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteService, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprintf(w, "%s %s %s", r.URL.RequestURI(), r.Header.Get(api.HeaderPrefix), r.Host)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_ = rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = rw.WriteString(strings.ToUpper(line))
			_ = rw.Flush()
		}
	})
	return mux
}

func TestServices(t *testing.T) { both(t, testServices) }

func testServices(t *testing.T, over protocol) {
	w := newWorldOver(t, over, program(), hello)
	w.service("web-1", self)
	w.service("web-2", self)
	w.service("hello-1", self)
	for path, want := range map[string]string{
		"/web/":           "/services/web-2/~/ /web localhost",
		"/web/a/b?c=d":    "/services/web-2/~/a/b?c=d /web localhost",
		"/web-1/a%2Fb":    "/services/web-1/~/a%2Fb /web-1 localhost",
		"/web~admin/x":    "/services/web-2/admin/x /web~admin localhost",
		"/web-1~admin/":   "/services/web-1/admin/ /web-1~admin localhost",
		"/hello-1/":       "/services/hello-1/~/ /hello-1 localhost",
		"/hello~admin/":   "/services/hello-1/admin/ /hello~admin localhost",
		"/web//a":         "/services/web-2/~/%2Fa /web localhost",
		"/hello/":         "404 page not found\n", // the component
		"/web~Admin/":     "404",
		"/web~/":          "404",
		"/nothing~admin/": "404",
	} {
		resp, body := w.do(http.MethodGet, path, "", "Host: localhost")
		if ok := body == want; !ok && (want != "404" || resp.StatusCode != http.StatusNotFound) {
			t.Errorf("%s: %d %q, want %q", path, resp.StatusCode, body, want)
		}
	}
	if resp, _ := w.do(http.MethodGet, "/web?x=y", ""); resp.Header.Get("Location") != "/web/?x=y" {
		t.Errorf("without its slash: %s to %q", resp.Status, resp.Header.Get("Location"))
	}
}

// TestUpgrade talks over an upgraded connection to a service of this node, and of a peer,
// for longer than the client may be silent otherwise.
func TestUpgrade(t *testing.T) {
	for name, on := range map[string]api.PeerID{"here": self, "there": other} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, program())
			w.connect(other, program())
			w.service("web-1", on)
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "GET /web-1/socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n")
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "shout" {
				t.Fatalf("%+v, %v", resp, err)
			}
			for i := range 3 {
				fmt.Fprintf(conn, "word %d\n", i)
				if line, err := in.ReadString('\n'); err != nil || line != fmt.Sprintf("WORD %d\n", i) {
					t.Fatalf("%q, %v", line, err)
				}
			}
			_ = conn.(*net.TCPConn).CloseWrite()
			if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
				t.Errorf("at the end: %q, %v", rest, err)
			}
		})
	}
}
