package public_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/local"
)

const asJSON = "Content-Type: application/json"

func TestExec(t *testing.T) { both(t, testExec) }

func testExec(t *testing.T, over protocol) {
	w := newWorldOver(t, over, echo(), double)
	fits := `{"name":"double","arg":"` + strings.Repeat("<", api.MaxExec-len(`{"name":"double","arg":""}`)) + `"}`
	huge := `{"name":"double","arg":"` + strings.Repeat("1", api.MaxExec) + `"}`
	for name, c := range map[string]struct {
		body    string
		headers []string
		method  string
		status  int    // 0: 200
		want    string // the result, else part of the error
	}{
		"one argument":       {body: `{"name":"double","arg":21}`, want: `21`},
		"beyond 2^53":        {body: `{"name":"double","arg":9007199254740993}`, want: `9007199254740993`},
		"largest u64":        {body: `{"name":"double","arg":18446744073709551615}`, want: `18446744073709551615`},
		"large float":        {body: `{"name":"double","arg":1e308}`, want: `1e308`},
		"negative zero":      {body: `{"name":"double","arg":-0.0}`, want: `-0.0`},
		"every digit":        {body: `{"name":"double","arg":0.1000000000000000055511151231257827}`, want: `0.1000000000000000055511151231257827`},
		"a number in quotes": {body: `{"name":"double","arg":"-9223372036854775808"}`, want: `"-9223372036854775808"`},
		"several":            {body: `{"name":"double","args":[1,2.50,"NaN"]}`, want: `[1,2.50,"NaN"]`},
		"one in a list":      {body: `{"name":"double","args":[-0]}`, want: `-0`},
		"none":               {body: `{"name":"double"}`, want: `null`},
		"an empty list":      {body: `{"name":"double","args":[]}`, want: `null`},
		"with a charset":     {body: `{"name":"double","arg":1}`, headers: []string{"Content-Type: application/json; charset=utf-8"}, want: `1`},
		"from its own pages": {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Origin: " + w.url}, want: `1`},
		"typed by a person":  {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Sec-Fetch-Site: none"}, want: `1`},

		"both":                    {body: `{"name":"double","arg":1,"args":[1]}`, status: 400, want: "not both"},
		"no name":                 {body: `{"arg":1}`, status: 400, want: "name is missing"},
		"a path as name":          {body: `{"name":"../double","arg":1}`, status: 400, want: "name"},
		"an escaped path":         {body: `{"name":"..%2fdouble","arg":1}`, status: 400, want: "name"},
		"a name with a line":      {body: `{"name":"double\n","arg":1}`, status: 400, want: "name"},
		"a number as name":        {body: `{"name":7}`, status: 400, want: "want {"},
		"unknown field":           {body: `{"name":"double","argument":1}`, status: 400, want: "argument"},
		"bytes behind":            {body: `{"name":"double","arg":1} x`, status: 400, want: "after"},
		"two values":              {body: `{"name":"double","arg":1}{}`, status: 400, want: "after"},
		"no JSON":                 {body: `name=double`, status: 400, want: "want {"},
		"nothing":                 {body: ``, status: 400, want: "want {"},
		"null":                    {body: `{"name":"double","arg":null}`, want: `null`},
		"a truth value":           {body: `{"name":"double","args":[1,true]}`, want: `[1,true]`},
		"an object":               {body: `{"name":"double","arg":{"a": "<"}}`, want: `{"a":"<"}`},
		"a text":                  {body: `{"name":"double","arg":"<é> & \\n\u0001"}`, want: `"<é> & \\n\u0001"`},
		"a text that just fits":   {body: fits, want: strings.TrimSuffix(strings.TrimPrefix(fits, `{"name":"double","arg":`), "}")},
		"a leading zero":          {body: `{"name":"double","arg":07}`, status: 400, want: "want {"},
		"hexadecimal":             {body: `{"name":"double","arg":0x10}`, status: 400, want: "want {"},
		"too many":                {body: `{"name":"double","args":[` + strings.Repeat("1,", 64) + `1]}`, status: 400, want: "at most 64"},
		"too large":               {body: huge, status: 413, want: "at most"},
		"unknown":                 {body: `{"name":"triple","arg":1}`, status: 404, want: "realm status"},
		"a form":                  {body: `{"name":"double","arg":1}`, headers: []string{"Content-Type: application/x-www-form-urlencoded"}, status: 415, want: "Content-Type: application/json"},
		"plain text":              {body: `{"name":"double","arg":1}`, headers: []string{"Content-Type: text/plain"}, status: 415, want: "Content-Type"},
		"no type":                 {body: `{"name":"double","arg":1}`, headers: []string{"X-A: b"}, status: 415, want: "Content-Type"},
		"a type in disguise":      {body: `{"name":"double","arg":1}`, headers: []string{"Content-Type: text/plain; application/json"}, status: 415, want: "Content-Type"},
		"another site":            {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Origin: http://evil.example"}, status: 403, want: "other sites"},
		"another port":            {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Origin: http://127.0.0.1:1"}, status: 403, want: "other sites"},
		"a sandboxed page":        {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Origin: null"}, status: 403, want: "other sites"},
		"another site, by itself": {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Sec-Fetch-Site: cross-site"}, status: 403, want: "other sites"},
		"an origin that lies":     {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Sec-Fetch-Site: same-origin", "Origin: http://evil.example"}, status: 403, want: "evil.example"},
		"another host":            {body: `{"name":"double","arg":1}`, headers: []string{asJSON, "Host: evil.example"}, status: 421, want: "evil.example"},
		"GET":                     {method: http.MethodGet, headers: []string{asJSON}, status: 405, want: "POST"},
		"a preflight":             {method: http.MethodOptions, headers: []string{"Origin: http://evil.example"}, status: 405, want: "POST"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodPost
			}
			if c.headers == nil {
				c.headers = []string{asJSON}
			}
			resp, body := w.do(c.method, "/exec", c.body, c.headers...)
			if c.status == 0 {
				if want := `{"result":` + c.want + "}\n"; resp.StatusCode != http.StatusOK || body != want {
					t.Errorf("%s %s, want %s", resp.Status, body, want)
				}
				return
			}
			if resp.StatusCode != c.status || !strings.Contains(w.failure(body), c.want) {
				t.Errorf("%s %s, want %d with %q", resp.Status, body, c.status, c.want)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("another origin is let in")
			}
		})
	}
}

// TestExecErrors wants runnerd's own words and status at the caller.
func TestExecErrors(t *testing.T) { both(t, testExecErrors) }

func testExecErrors(t *testing.T, over protocol) {
	answers := map[string]http.HandlerFunc{
		"trap": func(rw http.ResponseWriter, _ *http.Request) {
			local.WriteJSON(rw, http.StatusUnprocessableEntity, api.ErrorReply{Error: "integer divide by zero", Tail: []string{"last words"}})
		},
		"busy": func(rw http.ResponseWriter, _ *http.Request) {
			local.WriteJSON(rw, http.StatusServiceUnavailable, api.ErrorReply{Error: "all instances are busy"})
		},
		"strange": func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) },
		"endless": func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, api.MaxResult+2)) },
		"breaks":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	var refs []api.Ref
	mux := http.NewServeMux()
	for name, h := range answers {
		r := api.Ref{Kind: api.KindFunction, Name: api.Name(name)}
		refs = append(refs, r)
		mux.HandleFunc("POST "+api.PathFunction(r.Name), h)
	}
	w := newWorldOver(t, over, mux, append(refs, hello)...)
	for name, c := range map[string]struct {
		status     int
		want       string
		retryAfter bool
	}{
		"trap":    {422, "divide by zero", false},
		"busy":    {503, "busy", true},
		"strange": {502, "answer", false},
		"endless": {502, "too large", false},
		"breaks":  {502, "may or may not have run", false},
		"hello":   {404, "under /hello/", false},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := w.do(http.MethodPost, "/exec", `{"name":"`+name+`","arg":1}`, asJSON)
			if resp.StatusCode != c.status || !strings.Contains(w.failure(body), c.want) || (resp.Header.Get("Retry-After") != "") != c.retryAfter {
				t.Errorf("%s %s %v", resp.Status, body, resp.Header)
			}
			if name == "trap" && !strings.Contains(body, `"tail":["last words"]`) {
				t.Errorf("the last words are lost: %s", body)
			}
		})
	}
}

func TestExecElsewhere(t *testing.T) {
	w := newWorld(t, nil)
	w.connect(other, echo())
	w.fact(double, other, api.StateRunning)
	if resp, body := w.do(http.MethodPost, "/exec", `{"name":"double","arg":9007199254740993}`, asJSON); body != `{"result":9007199254740993}`+"\n" {
		t.Errorf("%s %s", resp.Status, body)
	}
	// This node is said to run it as well, but its runnerd is away.
	w.fact(double, self, api.StateRunning)
	if resp, body := w.do(http.MethodPost, "/exec", `{"name":"double","arg":7}`, asJSON); body != `{"result":7}`+"\n" {
		t.Errorf("%s %s", resp.Status, body)
	}
	w.meshd.Connect(other, nil)
	begun := time.Now()
	resp, body := w.do(http.MethodPost, "/exec", `{"name":"double","arg":7}`, asJSON)
	if resp.StatusCode/100 != 5 || w.failure(body) == "" || time.Since(begun) > 10*time.Second {
		t.Errorf("%s %s", resp.Status, body)
	}
	w.fact(double, self, api.StateFailed)
	w.fact(double, other, api.StateStopped)
	resp, body = w.do(http.MethodPost, "/exec", `{"name":"double","arg":7}`, asJSON)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(w.failure(body), "stopped on member "+other.Short()) {
		t.Errorf("%s %v %s", resp.Status, resp.Header, body)
	}
}

func TestLists(t *testing.T) {
	w := newWorld(t, echo(), hello, double)
	if _, body := w.do(http.MethodGet, "/peers", ""); body != `{"peers":[]}`+"\n" {
		t.Errorf("without any: %s", body)
	}
	w.connect(other, echo())
	w.fact(double, other, api.StateRunning)
	w.fact(double, standin.Peer(7), api.StateFailed)
	w.book.PutPeer(api.PeerRecord{PeerFact: api.PeerFact{Peer: self, Host: "me", Platform: "linux/amd64", Version: "1.2.3", Roles: []string{"edge"},
		Addrs: []string{"/ip4/192.0.2.7/tcp/4001"}}, Self: true, Live: true, Conflict: []string{"192.0.2.8"}})
	w.live.Set(w.book.Table(time.Now()))
	mine := `{"peer":"` + string(self) + `","self":true,"connected":false,"live":true,"host":"me","platform":"linux/amd64","version":"1.2.3","roles":["edge"]}`
	theirs := `{"peer":"` + string(other) + `","connected":true,"live":false,"platform":"","version":""}`
	both := mine + "," + theirs
	if other < self {
		both = theirs + "," + mine
	}
	standin.Serve(t, w.home, api.Gatewayd, w.handler)
	for path, c := range map[string]struct {
		want string
		as   api.Validator
	}{
		"/functions": {`{"functions":[{"name":"double","peers":["` + string(self) + `","` + string(other) + `"],"others":{"failed":1}}]}`, new(api.FunctionsReply)},
		"/peers":     {`{"peers":[` + both + `]}`, new(api.PeersReply)},
	} {
		resp, body := w.do(http.MethodGet, path, "")
		if body != c.want+"\n" || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s %v %s, want %s", path, resp.Status, resp.Header, body, c.want)
		}
		// On the socket, and as what it is declared to be.
		if err := local.Call(t.Context(), standin.Client(t, w.home), http.MethodGet, local.URL(api.Gatewayd, path), nil, c.as, api.MaxMessage); err != nil {
			t.Error(err)
		}
		if resp, _ := w.do(http.MethodGet, path, "", "Host: evil.example"); resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s of a foreign Host: %s", path, resp.Status)
		}
		if resp, _ := w.do(http.MethodPost, path, "x"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %s", path, resp.Status)
		}
	}
}

func TestSeriesOfDashboards(t *testing.T) {
	w := newWorld(t, echo(), double, hello)
	w.connect(other, echo())
	w.do(http.MethodPost, "/exec", `{"name":"double","arg":1}`, asJSON)
	w.do(http.MethodPost, "/exec", `{"name":"double"`, asJSON)
	w.do(http.MethodGet, "/hello/", "")
	w.fact(hello, self, api.StateFailed)
	w.do(http.MethodGet, "/hello/", "")
	for name, want := range map[string]float64{
		"gateway_requests_total": 4, "gateway_errors_total": 1,
		"nebula_edge_exec_total": 1, "nebula_edge_exec_duration_seconds": 1, "nebula_edge_peers": 1,
		"realm_gateway_in_flight": 0,
	} {
		if got := w.value(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if ms := w.value("gateway_last_latency_ms"); ms <= 0 || ms > 5000 {
		t.Errorf("the last request took %v ms", ms)
	}
}
